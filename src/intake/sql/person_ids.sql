CREATE TABLE person_seen AS
SELECT n.*, k.cluster, k.decided_by, k.probability, coalesce(least(b.first_seen_at, s.as_of), s.as_of) AS first_seen_at,
    -- Of records of one date, one that an earlier import of its system had keeps its id.
    b.first_seen_at IS NULL AND n.system IN (SELECT system FROM seen_before) AS is_new,
    EXISTS (FROM person_links AS l WHERE l.node = n.node) AS gave_way
FROM person_nodes AS n
JOIN person_clusters AS k ON k.node = n.node
JOIN systems AS s ON s.system = n.system
LEFT JOIN seen_before AS b ON b.tbl = 'contacts' AND b.system = n.system AND b.source_table = n.source_table AND b.source_id = n.source_id;
CREATE TABLE person_ids AS
SELECT * REPLACE (CASE WHEN record_id(system, source_table, source_id) = id THEN 'own' ELSE decided_by END AS decided_by,
    CASE WHEN record_id(system, source_table, source_id) = id THEN 1.0 ELSE probability END AS probability) FROM (
SELECT *, first_value(record_id(system, source_table, source_id)) OVER (
    PARTITION BY cluster ORDER BY first_seen_at, is_new, created_at NULLS LAST, system, source_table, source_id) AS id
FROM person_seen);
-- What is said of a person: by the record that remains, the newest first.
CREATE TABLE people_known AS
WITH ranked AS (
    SELECT *, row_number() OVER (PARTITION BY id ORDER BY is_alias, gave_way, created_at DESC NULLS LAST, system, source_table, source_id) AS place
    FROM person_ids
)
SELECT id AS contact_id, bool_and(is_alias) AS unknown,
    arg_min(account_id, place) FILTER (WHERE account_id IS NOT NULL) AS account_id,
    arg_min(full_name, place) FILTER (WHERE full_name IS NOT NULL) AS full_name,
    arg_min(email, place) FILTER (WHERE email IS NOT NULL) AS email,
    arg_min(phone, place) FILTER (WHERE phone IS NOT NULL) AS phone,
    arg_min(title, place) FILTER (WHERE title IS NOT NULL) AS title,
    arg_min(department, place) FILTER (WHERE department IS NOT NULL) AS department,
    min(created_at) AS created_at,
    CASE WHEN bool_and(ended_at IS NOT NULL OR gave_way OR is_alias) THEN max(ended_at) END AS ended_at,
    bool_or(email_host(email) IN (FROM own_hosts)) AS own_side
FROM ranked GROUP BY id;
