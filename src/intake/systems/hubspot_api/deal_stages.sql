WITH history AS (
    SELECT 'deals_property_history' AS source_table, concat_ws(':', dealid, property, "timestamp", value) AS source_id,
        dealid AS deal_id, value AS stage_id, moment("timestamp") AS occurred_at, 0 AS rank,
        CASE WHEN lower(property) <> 'dealstage' THEN 'meaningless: history of another property'
             WHEN value IS NULL THEN 'meaningless: no stage' END AS fate
    FROM src."deals_property_history" WHERE lower(property) IS DISTINCT FROM 'num_associated_contacts'
    UNION ALL BY NAME
    -- The last entry into each stage only.
    SELECT 'stages_timing_deals' AS source_table, t.id AS source_id, t.id AS deal_id, coalesce(n.id, t.label) AS stage_id,
        moment(t.value) AS occurred_at, 1 AS rank, NULL AS fate
    FROM src."stages_timing_deals@dates" AS t LEFT JOIN stage_by_name AS n ON n.name = lower(t.label)
    UNION ALL BY NAME
    SELECT 'stages_timing_deals' AS source_table, concat_ws(':', t.id, t.stage) AS source_id, t.id AS deal_id, coalesce(n.id, t.stage) AS stage_id,
        moment(t.entered) AS occurred_at, 1 AS rank, CASE WHEN t.entered IS NULL THEN 'meaningless: stage that was not entered' END AS fate
    FROM src."stages_timing_deals" AS t LEFT JOIN stage_by_name AS n ON n.name = regexp_replace(lower(t.stage), '[^a-z0-9]+', '_', 'g')
    WHERE t.stage IS NOT NULL
    UNION ALL BY NAME
    SELECT 'deals' AS source_table, t.id AS source_id, t.id AS deal_id, coalesce(n.id, t.label) AS stage_id,
        moment(t.value) AS occurred_at, 1 AS rank, NULL AS fate
    FROM src."deals@dates" AS t LEFT JOIN stage_by_name AS n ON n.name = lower(t.label)
)
SELECT h.source_table, h.source_id, h.deal_id, coalesce(s.label, h.stage_id) AS stage,
    CASE WHEN s.id IS NULL THEN stage_state(h.stage_id) ELSE s.state END AS state, h.occurred_at, NULL AS amount, h.rank, h.fate
FROM history AS h LEFT JOIN stage_labels AS s ON s.id = h.stage_id
