SELECT 'activities' AS source_table, id AS source_id, NULL AS fate FROM events WHERE type IN (32, 35, 29, 37) OR type = 36 AND deal_id IS NULL
UNION ALL BY NAME SELECT 'program' AS source_table, id AS source_id, NULL AS fate FROM src."program"
