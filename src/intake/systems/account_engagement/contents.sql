SELECT 'visitor_activity' AS source_table, content_id AS source_id, content_id, min(details) AS title, 'extra' AS fate FROM (
    SELECT CASE WHEN coalesce(listemailid, emailid) IS NOT NULL THEN concat('email:', coalesce(listemailid, emailid)) WHEN coalesce(formid, formhandlerid) IS NOT NULL
        THEN concat('form:', coalesce(formid, formhandlerid)) WHEN landingpageid IS NOT NULL THEN concat('page:', landingpageid)
        WHEN fileid IS NOT NULL THEN concat('file:', fileid) END AS content_id, details FROM src."visitor_activity")
WHERE content_id IS NOT NULL GROUP BY content_id
