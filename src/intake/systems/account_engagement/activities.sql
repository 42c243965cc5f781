SELECT 'visitor_activity' AS source_table, id AS source_id, 'prospect' AS person_table, prospectid AS person_id, NULL AS deal_id,
    CASE WHEN type = '6' THEN 'email_sent' WHEN type = '11' THEN 'email_open'
         WHEN type IN ('1', '17') AND (emailid IS NOT NULL OR listemailid IS NOT NULL OR typename ILIKE '%email%') THEN 'email_click'
         WHEN fileid IS NOT NULL OR typename ILIKE '%file%' THEN 'whitepaper_download' WHEN type = '4' THEN 'form_submitted'
         WHEN type = '24' THEN 'webinar_attended' WHEN type = '25' THEN 'webinar_registered' WHEN type = '28' THEN 'event_registered' WHEN type = '29' THEN 'event_attended'
         WHEN type IN ('27', '30', '34') THEN 'video_view' WHEN type = '7' THEN 'site_search' WHEN type IN ('1', '21', '26', '17') THEN 'web_click'
         WHEN type = '22' THEN 'chat' ELSE 'web_visit' END AS kind,
    moment(createdat) AS occurred_at, NULL AS recorded_at,
    CASE WHEN coalesce(listemailid, emailid) IS NOT NULL THEN concat('email:', coalesce(listemailid, emailid)) WHEN coalesce(formid, formhandlerid) IS NOT NULL
         THEN concat('form:', coalesce(formid, formhandlerid)) WHEN landingpageid IS NOT NULL THEN concat('page:', landingpageid)
         WHEN fileid IS NOT NULL THEN concat('file:', fileid) END AS content_id,
    CASE WHEN type IN ('6', '11') OR emailid IS NOT NULL THEN 'email' ELSE 'web' END AS channel, NULL AS duration_seconds,
    CASE WHEN type IN ('13', '36') THEN 'meaningless: bounce' WHEN type IN ('12', '14', '15', '16', '35', '37') THEN 'meaningless: change of a subscription'
         WHEN type IN ('3', '5') THEN 'meaningless: error or session' WHEN type = '23' THEN 'meaningless: invitation'
         WHEN type IN ('8', '19', '38') THEN 'meaningless: opportunity linked, which its own tables tell'
         WHEN prospectid IS NULL THEN 'unplaced: visitor without a prospect' END AS fate
FROM src."visitor_activity" WHERE type NOT IN ('9', '10', '18')
