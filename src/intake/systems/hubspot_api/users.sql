SELECT 'owners' AS source_table, id AS source_id, email_of(email) AS email, NULL AS fate FROM src."owners"
