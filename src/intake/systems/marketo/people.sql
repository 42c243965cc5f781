WITH ends AS (
    SELECT leadid, min(happened) AS ended_at FROM events WHERE type IN (8, 29, 37) GROUP BY ALL
)
SELECT 'lead' AS source_table, l.id AS source_id, NULL AS company_id, l.company AS company_name, host_of(l.website) AS company_domain,
    name_of(l.lastname, l.firstname) AS full_name,
    email_of(l.email) AS email, coalesce(l.mobilephone, l.phone) AS phone, l.title, l.department, moment(l.createdat) AS created_at,
    e.ended_at, NULL AS fate
FROM src."lead" AS l LEFT JOIN ends AS e ON e.leadid = l.id
