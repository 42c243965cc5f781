SELECT 'people' AS object, 'Contact' AS source_table, unnest(merged_into(id, merged)) AS source_id,
    'Contact' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM src."Contact"
UNION ALL BY NAME
SELECT 'companies' AS object, 'Company' AS source_table, unnest(merged_into(id, merged)) AS source_id,
    'Company' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM src."Company"
UNION ALL BY NAME
SELECT 'deals' AS object, 'Deal' AS source_table, unnest(merged_into(id, merged)) AS source_id,
    'Deal' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM src."Deal"
