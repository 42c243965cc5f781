SELECT 'email_campaign' AS source_table, id AS source_id, id AS content_id, coalesce(name, subject) AS title, NULL AS fate FROM src."email_campaign"
UNION ALL BY NAME
SELECT 'form' AS source_table, guid AS source_id, guid AS content_id, name AS title, NULL AS fate FROM src."form"
