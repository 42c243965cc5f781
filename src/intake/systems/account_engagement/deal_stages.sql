SELECT 'visitor_activity' AS source_table, id AS source_id, opportunityid AS deal_id, CASE type WHEN '9' THEN 'won' WHEN '10' THEN 'lost' ELSE 'reopened' END AS stage,
    CASE type WHEN '9' THEN 'won' WHEN '10' THEN 'lost' END AS state, moment(createdat) AS occurred_at, NULL AS amount, 0 AS rank,
    CASE WHEN opportunityid IS NULL THEN 'unplaced: no opportunity in the row' END AS fate
FROM src."visitor_activity" WHERE type IN ('9', '10', '18')
