SELECT 'activities' AS source_table, id AS source_id, deal_id, new_stage AS stage, stage_state(new_stage) AS state, happened AS occurred_at,
    number_of(amount) AS amount, 0 AS rank, CASE WHEN new_stage IS NULL THEN 'meaningless: change of an opportunity that is no stage' END AS fate
FROM events WHERE type = 36 AND deal_id IS NOT NULL
UNION ALL BY NAME
SELECT 'activities' AS source_table, 'first:' || id AS source_id, deal_id, new_stage AS stage, stage_state(new_stage) AS state, happened AS occurred_at,
    number_of(amount) AS amount, 0 AS rank, 'extra' AS fate
FROM events WHERE type = 34 AND deal_id IS NOT NULL AND new_stage IS NOT NULL
