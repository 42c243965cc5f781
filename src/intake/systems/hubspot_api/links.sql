SELECT 'people' AS object, 'contacts' AS source_table, unnest(merged_into(id, coalesce(hsmergedobjectids, hscalculatedmergedvids))) AS source_id,
    'contacts' AS other_table, id AS other_id, 'crm_merge' AS decided_by, NULL AS linked_at
FROM src."contacts"
UNION ALL BY NAME
SELECT 'people' AS object, 'contacts' AS source_table, vidtomerge AS source_id, 'contacts' AS other_table, canonicalvid AS other_id,
    'crm_merge' AS decided_by, moment("timestamp") AS linked_at
FROM src."contacts_merged_audit" WHERE vidtomerge <> canonicalvid
UNION ALL BY NAME
SELECT 'companies' AS object, 'companies' AS source_table, unnest(merged_into(id, hsmergedobjectids)) AS source_id,
    'companies' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM src."companies"
UNION ALL BY NAME
SELECT 'deals' AS object, 'deals' AS source_table, unnest(merged_into(id, hsmergedobjectids)) AS source_id,
    'deals' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM src."deals"
