SELECT 'owner' AS source_table, ownerid AS source_id, email_of(email) AS email, NULL AS fate FROM src."owner"
UNION ALL BY NAME
SELECT 'users' AS source_table, id AS source_id, email_of(email) AS email, NULL AS fate FROM src."users"
