SELECT 'people' AS object, 'contact' AS source_table, other AS source_id, 'contact' AS other_table, id AS other_id, 'crm_merge' AS decided_by, NULL AS linked_at
FROM (SELECT id, split_part(unnest(ids_of(coalesce(hsmergedobjectids, hscalculatedmergedvids))), ':', 1) AS other FROM src."contact") WHERE other <> id
UNION ALL BY NAME
SELECT 'people' AS object, 'contact' AS source_table, vidtomerge AS source_id, 'contact' AS other_table, canonicalvid AS other_id, 'crm_merge' AS decided_by,
    moment("timestamp") AS linked_at
FROM src."contact_merge_audit" WHERE vidtomerge <> canonicalvid
UNION ALL BY NAME
SELECT 'companies' AS object, 'company' AS source_table, other AS source_id, 'company' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM (SELECT id, unnest(ids_of(hsmergedobjectids)) AS other FROM src."company") WHERE other <> id
UNION ALL BY NAME
SELECT 'deals' AS object, 'deal' AS source_table, mergeddealid AS source_id, 'deal' AS other_table, dealid AS other_id, 'crm_merge' AS decided_by
FROM src."merged_deal" WHERE mergeddealid <> dealid
UNION ALL BY NAME
SELECT 'deals' AS object, 'deal' AS source_table, other AS source_id, 'deal' AS other_table, dealid AS other_id, 'crm_merge' AS decided_by
FROM (SELECT dealid, unnest(ids_of(hsmergedobjectids)) AS other FROM src."deal") WHERE other <> dealid
