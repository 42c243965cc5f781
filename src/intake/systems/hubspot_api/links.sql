SELECT 'people' AS object, 'contacts' AS source_table, other AS source_id, 'contacts' AS other_table, id AS other_id, 'crm_merge' AS decided_by, NULL AS linked_at
FROM (SELECT id, split_part(unnest(ids_of(coalesce(hsmergedobjectids, hscalculatedmergedvids))), ':', 1) AS other FROM src."contacts") WHERE other <> id
UNION ALL BY NAME
SELECT 'people' AS object, 'contacts' AS source_table, vidtomerge AS source_id, 'contacts' AS other_table, canonicalvid AS other_id, 'crm_merge' AS decided_by,
    moment("timestamp") AS linked_at
FROM src."contacts_merged_audit" WHERE vidtomerge <> canonicalvid
UNION ALL BY NAME
SELECT 'companies' AS object, 'companies' AS source_table, other AS source_id, 'companies' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM (SELECT id, unnest(ids_of(hsmergedobjectids)) AS other FROM src."companies") WHERE other <> id
UNION ALL BY NAME
SELECT 'deals' AS object, 'deals' AS source_table, other AS source_id, 'deals' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM (SELECT id, unnest(ids_of(hsmergedobjectids)) AS other FROM src."deals") WHERE other <> id
