WITH bounces AS (SELECT prospectid, min(moment(createdat)) AS bounced_at FROM src."visitor_activity" WHERE type IN ('13', '36') GROUP BY ALL)
SELECT 'prospect' AS source_table, p.id AS source_id, p.prospectaccountid AS company_id, p.company AS company_name, host_of(p.website) AS company_domain,
    CASE WHEN regexp_matches(concat(p.lastname, p.firstname), '[一-龠ぁ-んァ-ヶ]')
        THEN nullif(concat_ws(' ', p.lastname, p.firstname), '') ELSE nullif(concat_ws(' ', p.firstname, p.lastname), '') END AS full_name,
    email_of(p.email) AS email, p.phone, p.jobtitle AS title, p.department, moment(p.createdat) AS created_at,
    least(b.bounced_at, CASE WHEN flag(p.deleted) THEN moment(p.changed) END) AS ended_at, NULL AS fate
FROM src."prospect" AS p LEFT JOIN bounces AS b ON b.prospectid = p.id
