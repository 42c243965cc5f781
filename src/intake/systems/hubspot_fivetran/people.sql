WITH main_company AS (SELECT contactid, arg_min(companyid, (typeid IS DISTINCT FROM '1', companyid)) AS companyid FROM src."contact_company" GROUP BY ALL),
-- The e-mail address bounced for good, or they asked for no more of anything: only the former ends a membership.
bounces AS (
    SELECT lower(recipient) AS email, min(moment(created)) AS bounced_at FROM src."email_event"
    WHERE upper(type) = 'BOUNCE' AND id IN (SELECT id FROM bounced_for_good) GROUP BY ALL
)
SELECT 'contact' AS source_table, c.id AS source_id, coalesce(c.associatedcompanyid, a.companyid) AS company_id,
    c.company AS company_name, host_of(c.website) AS company_domain,
    name_of(c.lastname, c.firstname) AS full_name,
    email_of(c.email) AS email, coalesce(c.mobilephone, c.phone) AS phone, c.jobtitle AS title, c.department,
    moment(c.createdate) AS created_at,
    least(moment(c.bounced), b.bounced_at, CASE WHEN flag(c.deleted) THEN moment(c.changed) END) AS ended_at,
    NULL AS fate
FROM src."contact" AS c
LEFT JOIN main_company AS a ON a.contactid = c.id
LEFT JOIN bounces AS b ON b.email = email_of(c.email)
