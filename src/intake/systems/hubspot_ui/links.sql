SELECT 'people' AS object, 'Contact' AS source_table, other AS source_id, 'Contact' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM (SELECT id, split_part(unnest(ids_of(merged)), ':', 1) AS other FROM src."Contact") WHERE other <> id
UNION ALL BY NAME
SELECT 'companies' AS object, 'Company' AS source_table, other AS source_id, 'Company' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM (SELECT id, split_part(unnest(ids_of(merged)), ':', 1) AS other FROM src."Company") WHERE other <> id
UNION ALL BY NAME
SELECT 'deals' AS object, 'Deal' AS source_table, other AS source_id, 'Deal' AS other_table, id AS other_id, 'crm_merge' AS decided_by
FROM (SELECT id, split_part(unnest(ids_of(merged)), ':', 1) AS other FROM src."Deal") WHERE other <> id
