SELECT 'campaigns' AS source_table, id AS source_id, id AS content_id, coalesce(name, subject) AS title, NULL AS fate FROM src."campaigns"
UNION ALL BY NAME SELECT 'forms' AS source_table, id AS source_id, id AS content_id, name AS title, NULL AS fate FROM src."forms"
