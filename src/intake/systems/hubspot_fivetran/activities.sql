WITH old_times AS (SELECT id, moment("timestamp") AS happened, moment(createdat) AS created FROM src."engagement"),
done AS (
    SELECT 'engagement_call' AS source_table, engagementid, moment(happened) AS happened, moment(created) AS created,
        CASE WHEN upper(hscalldirection) = 'INBOUND' THEN 'call_received' ELSE 'call_made' END AS kind,
        coalesce(number_of(hscallduration), number_of(durationmilliseconds)) / 1000 AS seconds,
        CASE WHEN flag(deleted) THEN 'meaningless: deleted' END AS fate
    FROM src."engagement_call"
    UNION ALL BY NAME
    SELECT 'engagement_meeting' AS source_table, engagementid, moment(happened) AS happened, moment(created) AS created, 'meeting' AS kind,
        epoch(moment(ends) - moment(happened)) AS seconds,
        CASE WHEN flag(deleted) THEN 'meaningless: deleted'
             WHEN upper(outcome) IN ('CANCELED', 'CANCELLED', 'NO_SHOW', 'NO SHOW', 'RESCHEDULED') THEN 'meaningless: meeting that did not take place' END AS fate
    FROM src."engagement_meeting"
    UNION ALL BY NAME
    SELECT 'engagement_email' AS source_table, engagementid, moment(happened) AS happened, moment(created) AS created,
        CASE WHEN upper(direction) = 'INCOMING_EMAIL' OR upper(type) = 'INCOMING_EMAIL' THEN 'email_reply' ELSE 'sales_email' END AS kind, NULL AS seconds,
        CASE WHEN flag(deleted) THEN 'meaningless: deleted'
             WHEN upper(status) IN ('BOUNCED', 'FAILED', 'SCHEDULED', 'DRAFT') THEN 'meaningless: mail that was not delivered' END AS fate
    FROM src."engagement_email"
    UNION ALL BY NAME
    SELECT 'engagement_task' AS source_table, engagementid, coalesce(moment(completed), moment(happened)) AS happened, moment(created) AS created,
        CASE WHEN upper(tasktype) = 'EMAIL' THEN 'sales_email' WHEN upper(tasktype) = 'CALL' THEN 'call_made' ELSE 'sales_task' END AS kind, NULL AS seconds,
        CASE WHEN flag(deleted) THEN 'meaningless: deleted'
             WHEN completed IS NULL AND upper(coalesce(status, '')) <> 'COMPLETED' THEN 'meaningless: task not completed' END AS fate
    FROM src."engagement_task"
    UNION ALL BY NAME
    SELECT 'engagement_communication' AS source_table, engagementid, moment(happened) AS happened, moment(created) AS created, 'sales_message' AS kind, NULL AS seconds,
        CASE WHEN flag(deleted) THEN 'meaningless: deleted' END AS fate
    FROM src."engagement_communication"
    UNION ALL BY NAME
    SELECT 'engagement_note' AS source_table, engagementid, NULL AS happened, NULL AS created, 'note' AS kind, NULL AS seconds, 'meaningless: note' AS fate
    FROM src."engagement_note"
),
who AS (SELECT DISTINCT engagementid, contactid FROM src."engagement_contact"),
what AS (SELECT DISTINCT engagementid, dealid FROM src."engagement_deal")
SELECT d.source_table, d.engagementid AS source_id, CASE WHEN w.contactid IS NOT NULL THEN 'contact' END AS person_table, w.contactid AS person_id,
    t.dealid AS deal_id, d.kind, coalesce(d.happened, o.happened) AS occurred_at, coalesce(d.created, o.created) AS recorded_at,
    NULL AS content_id, NULL AS channel, d.seconds AS duration_seconds, d.fate
FROM done AS d
LEFT JOIN old_times AS o ON o.id = d.engagementid
LEFT JOIN who AS w ON w.engagementid = d.engagementid AND d.fate IS NULL
LEFT JOIN what AS t ON t.engagementid = d.engagementid AND d.fate IS NULL
UNION ALL BY NAME
SELECT 'email_event' AS source_table, e.id AS source_id, 'contact' AS person_table, c.id AS person_id, NULL AS deal_id,
    CASE upper(e.type) WHEN 'OPEN' THEN 'email_open' WHEN 'CLICK' THEN 'email_click' WHEN 'SENT' THEN 'email_sent'
         WHEN 'REPLY' THEN 'email_reply' WHEN 'FORWARD' THEN 'email_forward' ELSE lower(e.type) END AS kind,
    moment(e.created) AS occurred_at, NULL AS recorded_at, e.emailcampaignid AS content_id, 'email' AS channel, NULL AS duration_seconds,
    CASE WHEN upper(e.type) IN ('DELIVERED', 'PROCESSED', 'DEFERRED', 'DROPPED') THEN 'meaningless: delivery'
         WHEN upper(e.type) IN ('BOUNCE') THEN 'meaningless: bounce'
         WHEN upper(e.type) IN ('STATUSCHANGE', 'SPAMREPORT', 'UNSUBSCRIBED', 'SUPPRESSED', 'PRINT') THEN 'meaningless: change of a subscription'
         WHEN flag(e.filteredevent) THEN 'meaningless: opened by a machine'
         WHEN c.id IS NULL THEN 'unplaced: no contact has this address' END AS fate
FROM src."email_event" AS e LEFT JOIN contact_by_email AS c ON c.email = email_of(e.recipient)
UNION ALL BY NAME
SELECT 'contact_form_submission' AS source_table, concat_ws(':', contactid, formid, conversionid, "timestamp") AS source_id,
    'contact' AS person_table, contactid AS person_id, NULL AS deal_id, 'form_submitted' AS kind, moment("timestamp") AS occurred_at, NULL AS recorded_at,
    formid AS content_id, 'form' AS channel, NULL AS duration_seconds, NULL AS fate
FROM src."contact_form_submission"
