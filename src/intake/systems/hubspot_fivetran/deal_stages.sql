WITH history AS (
    SELECT 'deal_property_history' AS source_table, concat_ws(':', dealid, name, "timestamp", value) AS source_id,
        dealid AS deal_id, value AS stage_id, moment("timestamp") AS occurred_at, 0 AS rank,
        CASE WHEN lower(name) NOT IN ('dealstage', 'num_associated_contacts') THEN 'meaningless: history of another property'
             WHEN lower(name) = 'dealstage' AND value IS NULL THEN 'meaningless: no stage' END AS fate
    FROM src."deal_property_history" WHERE lower(name) IS DISTINCT FROM 'num_associated_contacts'
    UNION ALL BY NAME
    SELECT 'deal_stage' AS source_table, concat_ws(':', dealid, value, dateentered) AS source_id,
        dealid AS deal_id, value AS stage_id, moment(dateentered) AS occurred_at, 1 AS rank,
        CASE WHEN value IS NULL THEN 'meaningless: no stage' END AS fate
    FROM src."deal_stage"
)
SELECT h.source_table, h.source_id, h.deal_id, coalesce(s.label, h.stage_id) AS stage,
    CASE WHEN s.stageid IS NULL THEN stage_state(h.stage_id) ELSE s.state END AS state,
    h.occurred_at, NULL AS amount, h.rank, h.fate
FROM history AS h LEFT JOIN stage_states AS s ON s.stageid = h.stage_id
