SELECT 'activities' AS source_table, id AS source_id, 'lead' AS person_table, leadid AS person_id, NULL AS deal_id,
    CASE type WHEN 1 THEN 'web_visit' WHEN 2 THEN 'form_submitted' WHEN 3 THEN 'web_click' WHEN 6 THEN 'email_sent' WHEN 10 THEN 'email_open'
         WHEN 11 THEN 'email_click' WHEN 39 THEN 'sales_email' WHEN 40 THEN 'sales_email_open' WHEN 41 THEN 'sales_email_click' WHEN 45 THEN 'email_reply'
         WHEN 104 THEN CASE WHEN lower(concat(value, new_status)) LIKE '%webinar%' OR value LIKE '%ウェビナー%' THEN 'webinar_attended' ELSE 'event_attended' END
         ELSE concat('marketo_', type) END AS kind,
    happened AS occurred_at, NULL AS recorded_at,
    CASE WHEN type IN (6, 10, 11) THEN concat('email:', value_id) WHEN type = 2 THEN concat('form:', value_id) WHEN type = 1 THEN concat('page:', value_id)
         WHEN type = 104 THEN concat('program:', value_id) END AS content_id,
    CASE WHEN type IN (6, 10, 11, 39, 40, 41, 45) THEN 'email' WHEN type IN (1, 3) THEN 'web' WHEN type = 2 THEN 'form' WHEN type = 104 THEN 'event' END AS channel,
    NULL AS duration_seconds,
    CASE WHEN type IN (1, 2, 3, 6, 10, 11, 39, 40, 41, 45) OR type >= 100000 THEN NULL
         WHEN type = 104 THEN CASE WHEN regexp_matches(lower(new_status), '(^|[^a-z])attended|参加|出席|responded') AND NOT regexp_matches(lower(new_status), 'not |no[- ]show|不参加|欠席')
            THEN NULL ELSE 'meaningless: change of a status in a program' END
         WHEN type = 7 THEN 'meaningless: delivery' WHEN type IN (8, 27) THEN 'meaningless: bounce' WHEN type = 9 THEN 'meaningless: change of a subscription'
         WHEN type IN (24, 25) THEN 'meaningless: change of a list' WHEN type = 22 THEN 'meaningless: change of a score'
         WHEN type = 46 THEN 'meaningless: interesting moment, which other activities tell' ELSE 'meaningless: change of data' END AS fate
FROM events WHERE type NOT IN (32, 34, 35, 36, 29, 37) OR type IS NULL
