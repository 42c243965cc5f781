WITH bounces AS (SELECT prospectid, min(moment(createdat)) AS bounced_at FROM src."visitor_activity" WHERE type IN ('13', '36') GROUP BY ALL)
SELECT 'prospect' AS source_table, p.id AS source_id, p.prospectaccountid AS company_id, p.company AS company_name, host_of(p.website) AS company_domain,
    name_of(p.lastname, p.firstname) AS full_name,
    email_of(p.email) AS email, p.phone, p.jobtitle AS title, p.department, moment(p.createdat) AS created_at,
    least(b.bounced_at, CASE WHEN flag(p.deleted) THEN moment(p.changed) END) AS ended_at, NULL AS fate
FROM src."prospect" AS p LEFT JOIN bounces AS b ON b.prospectid = p.id
