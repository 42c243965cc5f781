SELECT 'Deal' AS source_table, id AS source_id, id AS deal_id, label AS stage,
    coalesce(stage_state(regexp_replace(label, ' *[(（][^()（）]*[)）]$', '')), stage_state(label)) AS state,
    moment(value) AS occurred_at, NULL AS amount, 1 AS rank, NULL AS fate
FROM src."Deal@dates"
