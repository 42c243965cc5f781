SELECT 'Campaign' AS source_table, id AS source_id, id AS content_id, name AS title,
    CASE WHEN flag(isdeleted) THEN 'meaningless: deleted' END AS fate
FROM src."Campaign"
