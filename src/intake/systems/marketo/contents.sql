SELECT 'activities' AS source_table, content_id AS source_id, content_id, min(value) AS title, 'extra' AS fate FROM (
    SELECT CASE WHEN type IN (6, 10, 11) THEN concat('email:', value_id) WHEN type = 2 THEN concat('form:', value_id) WHEN type = 1 THEN concat('page:', value_id)
        WHEN type = 104 THEN concat('program:', value_id) END AS content_id, value
    FROM events WHERE value_id IS NOT NULL)
WHERE content_id IS NOT NULL GROUP BY content_id
