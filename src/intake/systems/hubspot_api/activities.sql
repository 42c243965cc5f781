WITH done AS (
    SELECT 'engagements_calls' AS source_table, id, moment(hstimestamp) AS happened, coalesce(moment(hscreatedate), moment(createdat)) AS created,
        CASE WHEN upper(hscalldirection) = 'INBOUND' THEN 'call_received' ELSE 'call_made' END AS kind, number_of(hscallduration) / 1000 AS seconds,
        CASE WHEN flag(archived) THEN 'meaningless: deleted' END AS fate, contacts, deals
    FROM src."engagements_calls"
    UNION ALL BY NAME
    SELECT 'engagements_meetings' AS source_table, id, coalesce(moment(hsmeetingstarttime), moment(hstimestamp)) AS happened,
        coalesce(moment(hscreatedate), moment(createdat)) AS created, 'meeting' AS kind,
        epoch(moment(hsmeetingendtime) - coalesce(moment(hsmeetingstarttime), moment(hstimestamp))) AS seconds,
        CASE WHEN flag(archived) THEN 'meaningless: deleted'
             WHEN upper(hsmeetingoutcome) IN ('CANCELED', 'CANCELLED', 'NO_SHOW', 'NO SHOW', 'RESCHEDULED') THEN 'meaningless: meeting that did not take place' END AS fate,
        contacts, deals
    FROM src."engagements_meetings"
    UNION ALL BY NAME
    SELECT 'engagements_emails' AS source_table, id, moment(hstimestamp) AS happened, coalesce(moment(hscreatedate), moment(createdat)) AS created,
        CASE WHEN upper(hsemaildirection) = 'INCOMING_EMAIL' THEN 'email_reply' ELSE 'sales_email' END AS kind, NULL AS seconds,
        CASE WHEN flag(archived) THEN 'meaningless: deleted'
             WHEN upper(hsemailstatus) IN ('BOUNCED', 'FAILED', 'SCHEDULED', 'DRAFT') THEN 'meaningless: mail that was not delivered' END AS fate, contacts, deals
    FROM src."engagements_emails"
    UNION ALL BY NAME
    SELECT 'engagements_tasks' AS source_table, id, coalesce(moment(hstaskcompletiondate), moment(hstimestamp)) AS happened,
        coalesce(moment(hscreatedate), moment(createdat)) AS created,
        CASE WHEN upper(hstasktype) = 'EMAIL' THEN 'sales_email' WHEN upper(hstasktype) = 'CALL' THEN 'call_made' ELSE 'sales_task' END AS kind, NULL AS seconds,
        CASE WHEN flag(archived) THEN 'meaningless: deleted'
             WHEN hstaskcompletiondate IS NULL AND upper(coalesce(hstaskstatus, '')) <> 'COMPLETED' THEN 'meaningless: task not completed' END AS fate, contacts, deals
    FROM src."engagements_tasks"
    UNION ALL BY NAME
    SELECT 'engagements_notes' AS source_table, id, NULL AS happened, NULL AS created, 'note' AS kind, NULL AS seconds, 'meaningless: note' AS fate,
        NULL AS contacts, NULL AS deals
    FROM src."engagements_notes"
    UNION ALL BY NAME
    SELECT 'engagements' AS source_table, id, coalesce(moment(json_extract_string(metadata, '$.startTime')), moment(json_extract_string(metadata, '$.completionDate')), moment("timestamp")) AS happened,
        moment(createdat) AS created,
        CASE upper(type) WHEN 'CALL' THEN 'call_made' WHEN 'MEETING' THEN 'meeting' WHEN 'INCOMING_EMAIL' THEN 'email_reply' WHEN 'EMAIL' THEN 'sales_email'
             WHEN 'TASK' THEN 'sales_task' ELSE lower(type) END AS kind,
        number_of(json_extract_string(metadata, '$.durationMilliseconds')) / 1000 AS seconds,
        CASE WHEN upper(type) = 'NOTE' THEN 'meaningless: note'
             WHEN upper(type) = 'TASK' AND upper(coalesce(json_extract_string(metadata, '$.status'), '')) <> 'COMPLETED' THEN 'meaningless: task not completed'
             WHEN EXISTS (FROM src."engagements_calls" UNION ALL BY NAME FROM src."engagements_meetings") THEN 'meaningless: told again by the table of its type' END AS fate,
        json_extract_string(associations, '$.contactIds') AS contacts, json_extract_string(associations, '$.dealIds') AS deals
    FROM src."engagements"
)
SELECT d.source_table, d.id AS source_id, CASE WHEN w.contact_id IS NOT NULL THEN 'contacts' END AS person_table, w.contact_id AS person_id,
    t.deal_id, d.kind, d.happened AS occurred_at, d.created AS recorded_at, NULL AS content_id, NULL AS channel, d.seconds AS duration_seconds, d.fate
FROM done AS d
LEFT JOIN (SELECT DISTINCT source_table, id, unnest(ids_of(contacts)) AS contact_id FROM done WHERE fate IS NULL) AS w ON w.source_table = d.source_table AND w.id = d.id
LEFT JOIN (SELECT DISTINCT source_table, id, unnest(ids_of(deals)) AS deal_id FROM done WHERE fate IS NULL) AS t ON t.source_table = d.source_table AND t.id = d.id
UNION ALL BY NAME
SELECT 'email_events' AS source_table, e.id AS source_id, 'contacts' AS person_table, c.id AS person_id, NULL AS deal_id,
    CASE upper(e.type) WHEN 'OPEN' THEN 'email_open' WHEN 'CLICK' THEN 'email_click' WHEN 'SENT' THEN 'email_sent'
         WHEN 'REPLY' THEN 'email_reply' WHEN 'FORWARD' THEN 'email_forward' ELSE lower(e.type) END AS kind,
    moment(e.created) AS occurred_at, NULL AS recorded_at, e.emailcampaignid AS content_id, 'email' AS channel, NULL AS duration_seconds,
    CASE WHEN upper(e.type) IN ('DELIVERED', 'PROCESSED', 'DEFERRED', 'DROPPED') THEN 'meaningless: delivery'
         WHEN upper(e.type) = 'BOUNCE' THEN 'meaningless: bounce'
         WHEN upper(e.type) IN ('STATUSCHANGE', 'SPAMREPORT', 'UNSUBSCRIBED', 'SUPPRESSED', 'PRINT') THEN 'meaningless: change of a subscription'
         WHEN flag(e.filteredevent) THEN 'meaningless: opened by a machine'
         WHEN c.id IS NULL THEN 'unplaced: no contact has this address' END AS fate
FROM src."email_events" AS e LEFT JOIN contact_by_email AS c ON c.email = email_of(e.recipient)
UNION ALL BY NAME
SELECT 'form_submissions' AS source_table, concat_ws(':', f.formid, f.submittedat, f."values") AS source_id, 'contacts' AS person_table, c.id AS person_id,
    NULL AS deal_id, 'form_submitted' AS kind, moment(f.submittedat) AS occurred_at, NULL AS recorded_at, f.formid AS content_id, 'form' AS channel,
    NULL AS duration_seconds, CASE WHEN c.id IS NULL THEN 'unplaced: no contact has this address' END AS fate
FROM src."form_submissions" AS f LEFT JOIN contact_by_email AS c ON c.email = email_of(f."values")
UNION ALL BY NAME
SELECT 'contacts_form_submissions' AS source_table, concat_ws(':', canonicalvid, formid, conversionid, "timestamp") AS source_id, 'contacts' AS person_table,
    canonicalvid AS person_id, NULL AS deal_id, 'form_submitted' AS kind, moment("timestamp") AS occurred_at, NULL AS recorded_at, formid AS content_id,
    'form' AS channel, NULL AS duration_seconds, NULL AS fate
FROM src."contacts_form_submissions"
