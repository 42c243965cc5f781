-- A full mailbox or a busy server is no end.
CREATE VIEW bounced_for_good AS
SELECT e.id FROM src."email_event" AS e LEFT JOIN src."email_event_bounce" AS b USING (id)
WHERE upper(e.type) = 'BOUNCE'
    AND coalesce(upper(b.category), 'UNKNOWN_USER') NOT IN ('MAILBOX_FULL', 'THROTTLED', 'GREYLISTING', 'TEMPORARY', 'TIMEOUT', 'DEFERRED', 'CONTENT', 'SPAM', 'POLICY', 'MAILBOX_MISCONFIGURATION', 'DNS_FAILURE', 'SENDING_DOMAIN_MISCONFIGURATION', 'MESSAGE_TOO_LARGE', 'AUTO_RESPONSE');
CREATE VIEW contact_by_email AS
SELECT email_of(email) AS email, arg_min(id, (coalesce(flag(deleted), false), moment(createdate), id)) AS id
FROM src."contact" WHERE email_of(email) IS NOT NULL GROUP BY ALL;
CREATE VIEW stage_states AS
SELECT stageid, label, CASE WHEN flag(closedwon) THEN 'won'
    WHEN flag(isclosed) OR number_of(probability) = 0 AND stage_state(coalesce(label, stageid)) = 'lost' THEN 'lost'
    WHEN isclosed IS NULL AND closedwon IS NULL THEN CASE WHEN number_of(probability) = 1 THEN 'won'
        ELSE coalesce(stage_state(stageid), stage_state(label)) END END AS state
FROM src."deal_pipeline_stage";
-- Ids of contacts that gave way: what names them is the remaining contact's.
CREATE VIEW merged_contacts AS
SELECT unnest(merged_into(id, coalesce(hsmergedobjectids, hscalculatedmergedvids))) AS id FROM src."contact"
UNION SELECT vidtomerge FROM src."contact_merge_audit";
