WITH who AS (
    SELECT taskid AS activity, relationid AS person FROM src."TaskRelation"
    WHERE NOT coalesce(flag(isdeleted), false) AND NOT coalesce(flag(iswhat), false) AND starts_with_person(relationid)
    UNION
    SELECT eventid, relationid FROM src."EventRelation"
    WHERE NOT coalesce(flag(isdeleted), false) AND NOT coalesce(flag(iswhat), false) AND starts_with_person(relationid)
    UNION
    SELECT id, whoid FROM src."Task" WHERE whoid IS NOT NULL
    UNION
    SELECT id, whoid FROM src."Event" WHERE whoid IS NOT NULL
),
tasks AS (
    SELECT 'Task' AS source_table, id AS source_id, whatid, 
        CASE WHEN coalesce(tasksubtype, type) ILIKE 'email' OR coalesce(tasksubtype, type) ILIKE 'ListEmail' OR type ILIKE 'メール' THEN 'sales_email'
             WHEN calltype ILIKE 'inbound' THEN 'call_received'
             WHEN tasksubtype ILIKE 'call' OR type ILIKE 'call' OR type ILIKE '電話' OR calltype IS NOT NULL OR calldurationinseconds IS NOT NULL THEN 'call_made'
             WHEN type ILIKE '%meeting%' OR type ILIKE '%訪問%' OR type ILIKE '%打ち合わせ%' THEN 'meeting'
             ELSE 'sales_task' END AS kind,
        coalesce(moment(completeddatetime), day_end(activitydate), moment(lastmodifieddate)) AS occurred_at,
        moment(createddate) AS recorded_at, number_of(calldurationinseconds) AS duration_seconds,
        CASE WHEN flag(isdeleted) THEN 'meaningless: deleted'
             WHEN flag(isrecurrence) THEN 'meaningless: series of recurring activities'
             WHEN NOT (coalesce(flag(isclosed), false) OR completeddatetime IS NOT NULL
                 OR lower(status) IN ('completed', '完了', 'closed', 'done')) THEN 'meaningless: task not completed'
        END AS fate
    FROM src."Task"
),
meetings AS (
    SELECT 'Event' AS source_table, id AS source_id, whatid,
        CASE WHEN type ILIKE 'call' OR type ILIKE '電話' THEN 'call_made' WHEN type ILIKE 'email' THEN 'sales_email' ELSE 'meeting' END AS kind,
        coalesce(CASE WHEN NOT coalesce(flag(isalldayevent), false) THEN coalesce(moment(startdatetime), moment(activitydatetime)) END,
            day_end(activitydate), moment(startdatetime), moment(activitydatetime)) AS occurred_at,
        moment(createddate) AS recorded_at, number_of(durationinminutes) * 60 AS duration_seconds,
        CASE WHEN flag(isdeleted) THEN 'meaningless: deleted'
             WHEN flag(isrecurrence) THEN 'meaningless: series of recurring activities'
             WHEN flag(ischild) THEN 'meaningless: an attendee''s copy of a meeting' END AS fate
    FROM src."Event"
),
done AS (FROM tasks UNION ALL BY NAME FROM meetings),
responses AS (
    SELECT 'CampaignMember' AS source_table, coalesce(m.id, concat(m.campaignid, ':', coalesce(m.contactid, m.leadid))) AS source_id,
        CASE WHEN m.contactid IS NOT NULL THEN 'Contact' ELSE 'Lead' END AS person_table,
        coalesce(m.contactid, m.leadid) AS person_id,
        CASE WHEN c.type ILIKE '%webinar%' OR c.type ILIKE '%ウェビナー%' THEN 'webinar_attended'
             WHEN c.type ILIKE '%event%' OR c.type ILIKE '%trade%' OR c.type ILIKE '%conference%' OR c.type ILIKE '%seminar%'
                 OR c.type ILIKE '%展示会%' OR c.type ILIKE '%セミナー%' OR c.type ILIKE '%イベント%' THEN 'event_attended'
             WHEN c.type ILIKE '%email%' OR c.type ILIKE '%メール%' THEN 'email_click'
             WHEN c.type ILIKE '%content%' OR c.type ILIKE '%paper%' OR c.type ILIKE '%資料%' THEN 'whitepaper_download'
             ELSE 'campaign_response' END AS kind,
        coalesce(day_end(m.firstrespondeddate), moment(m.createddate)) AS occurred_at, moment(m.createddate) AS recorded_at,
        m.campaignid AS content_id, 'campaign' AS channel,
        CASE WHEN flag(m.isdeleted) THEN 'meaningless: deleted'
             WHEN NOT (coalesce(flag(m.hasresponded), false) OR m.firstrespondeddate IS NOT NULL)
                 THEN 'meaningless: list member without a response'
             WHEN coalesce(m.contactid, m.leadid) IS NULL THEN 'unplaced: no contact in the row' END AS fate
    FROM src."CampaignMember" AS m LEFT JOIN src."Campaign" AS c ON c.id = m.campaignid
)
SELECT done.source_table, done.source_id,
    CASE WHEN who.person IS NULL THEN NULL WHEN who.person IN (SELECT id FROM src."Lead") THEN 'Lead' ELSE 'Contact' END AS person_table,
    who.person AS person_id,
    CASE WHEN done.whatid IN (SELECT id FROM src."Opportunity") THEN done.whatid END AS deal_id,
    kind, occurred_at, greatest(recorded_at, CASE WHEN done.source_table = 'Task' THEN occurred_at END) AS recorded_at,
    NULL AS content_id, NULL AS channel, duration_seconds, fate
FROM done LEFT JOIN who ON who.activity = done.source_id AND done.fate IS NULL
UNION ALL BY NAME
SELECT source_table, source_id, person_table, person_id, NULL AS deal_id, kind, occurred_at, recorded_at, content_id, channel,
    NULL AS duration_seconds, fate
FROM responses
