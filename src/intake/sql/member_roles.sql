-- Of several rows of one member the latest that says a role counts; then the title.
CREATE TABLE member_roles AS
WITH rows AS (
    SELECT r.*, c.role AS crm_role FROM role_rows AS r LEFT JOIN crm_roles AS c ON c.value = r.value WHERE r.fate IS NULL
),
crm AS (
    SELECT group_id, contact_id, arg_max(crm_role, (coalesce(changed_at, joined), source_id)) AS role,
        arg_max(value, (coalesce(changed_at, joined), source_id)) AS value
    FROM rows WHERE crm_role IS NOT NULL GROUP BY ALL
),
spans AS (
    SELECT group_id, contact_id, min(joined) AS joined_at, arg_min(joined_is, (joined, joined_is)) AS joined_is,
        least(CASE WHEN bool_and(left_at IS NOT NULL) THEN max(left_at) END, min(person_ended)) AS left_at,
        bool_and(source_table = 'activity_group') AS by_activity
    FROM rows GROUP BY ALL
)
SELECT s.group_id, s.contact_id, s.joined_at, s.joined_is, CASE WHEN s.left_at IS NOT NULL THEN greatest(s.left_at, s.joined_at + INTERVAL 1 SECOND) END AS left_at,
    coalesce(d.role, crm.role, t.role, 'unknown') AS role,
    CASE WHEN d.role IS NOT NULL OR crm.role IS NOT NULL OR t.role IS NULL OR t.decided THEN 1.0 ELSE t.probability END AS probability,
    CASE WHEN d.role IS NOT NULL THEN 'person' WHEN crm.role IS NOT NULL THEN 'crm' WHEN t.decided THEN 'person'
         WHEN t.role IS NOT NULL THEN 'title' WHEN s.by_activity THEN 'activity' END AS source,
    CASE WHEN d.role IS NOT NULL THEN d.role WHEN crm.role IS NOT NULL THEN crm.value ELSE k.title END AS value
FROM spans AS s
LEFT JOIN people_known AS k USING (contact_id)
LEFT JOIN crm USING (group_id, contact_id)
LEFT JOIN decided_members AS d USING (group_id, contact_id)
LEFT JOIN title_roles AS t ON t.title = k.title AND t.department = coalesce(k.department, '');
