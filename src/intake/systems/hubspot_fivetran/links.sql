SELECT 'people' AS object, 'contact' AS source_table, unnest(merged_into(id, coalesce(hsmergedobjectids, hscalculatedmergedvids))) AS source_id,
    'contact' AS other_table, id AS other_id, 'crm_merge' AS decided_by, NULL AS linked_at
FROM src."contact"
UNION ALL BY NAME
SELECT 'people' AS object, 'contact' AS source_table, vidtomerge AS source_id, 'contact' AS other_table, canonicalvid AS other_id,
    'crm_merge' AS decided_by, moment("timestamp") AS linked_at
FROM src."contact_merge_audit" WHERE vidtomerge <> canonicalvid
UNION ALL BY NAME
SELECT 'companies' AS object, 'company' AS source_table, unnest(merged_into(id, hsmergedobjectids)) AS source_id,
    'company' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM src."company"
UNION ALL BY NAME
SELECT 'deals' AS object, 'deal' AS source_table, mergeddealid AS source_id, 'deal' AS other_table, dealid AS other_id, 'crm_merge' AS decided_by
FROM src."merged_deal" WHERE mergeddealid <> dealid
UNION ALL BY NAME
SELECT 'deals' AS object, 'deal' AS source_table, unnest(merged_into(dealid, hsmergedobjectids)) AS source_id,
    'deal' AS other_table, dealid AS other_id, 'crm_merge' AS decided_by
FROM src."deal"
