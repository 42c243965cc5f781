WITH main_company AS (
    SELECT id, min(company_id) AS company_id FROM (
        SELECT id, ids_of(companies)[1] AS company_id FROM src."contacts"
        UNION ALL SELECT value, companiesid FROM src."contacts__companies"
        UNION ALL SELECT contactsid, value FROM src."companies__contacts") GROUP BY id
),
bounces AS (
    SELECT email_of(recipient) AS email, min(moment(created)) AS bounced_at FROM src."email_events"
    WHERE upper(type) = 'BOUNCE' AND coalesce(upper(category), 'UNKNOWN_USER') NOT IN ('MAILBOX_FULL', 'THROTTLED', 'GREYLISTING', 'TIMEOUT', 'CONTENT', 'SPAM', 'POLICY')
    GROUP BY ALL
)
SELECT 'contacts' AS source_table, c.id AS source_id, coalesce(c.companyid, a.company_id) AS company_id, c.company AS company_name,
    host_of(c.website) AS company_domain,
    name_of(c.lastname, c.firstname) AS full_name,
    email_of(c.email) AS email, coalesce(c.mobilephone, c.phone) AS phone, c.jobtitle AS title, c.department,
    moment(c.createdate) AS created_at,
    least(moment(c.bounced), b.bounced_at, CASE WHEN flag(c.archived) THEN moment(c.changed) END) AS ended_at, NULL AS fate
FROM src."contacts" AS c LEFT JOIN main_company AS a ON a.id = c.id LEFT JOIN bounces AS b ON b.email = email_of(c.email)
