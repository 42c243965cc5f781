CREATE MACRO record_id(system, source_table, source_id) AS concat(system, ':', source_table, ':', source_id);
CREATE TABLE company_seen AS
SELECT n.*, k.cluster, k.decided_by, k.probability, coalesce(least(b.first_seen_at, s.as_of), s.as_of) AS first_seen_at,
    b.first_seen_at IS NULL AND n.system IN (SELECT system FROM seen_before) AS is_new
FROM company_nodes AS n
JOIN company_clusters AS k ON k.node = n.node
JOIN systems AS s ON s.system = n.system
LEFT JOIN seen_before AS b ON b.tbl = 'accounts' AND b.system = n.system AND b.source_table = n.source_table AND b.source_id = n.source_id;
CREATE TABLE company_ids AS
SELECT * REPLACE (CASE WHEN record_id(system, source_table, source_id) = id THEN 'own' ELSE decided_by END AS decided_by) FROM (
SELECT *, first_value(record_id(system, source_table, source_id)) OVER (
    PARTITION BY cluster ORDER BY first_seen_at, is_new, is_text, created_at NULLS LAST, system, source_table, source_id) AS id
FROM company_seen);
