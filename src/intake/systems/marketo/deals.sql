WITH told AS (
    SELECT deal_id, arg_min(value, happened) AS name, min(happened) AS created_at, arg_max(new_stage, happened) FILTER (WHERE new_stage IS NOT NULL) AS stage,
        max(happened) AS last_at, arg_max(amount, happened) FILTER (WHERE amount IS NOT NULL) AS amount
    FROM events WHERE type IN (34, 35, 36) AND deal_id IS NOT NULL GROUP BY deal_id
)
SELECT 'opportunity' AS source_table, opportunityid AS source_id, o.name, NULL AS company_id, solution_value AS solution,
    coalesce(moment(o.createdat), t.created_at) AS created_at, day_end(closedate) AS closed_at,
    CASE WHEN flag(iswon) THEN 'won' WHEN flag(isclosed) THEN 'lost' ELSE stage_state(o.stage) END AS state, o.stage,
    number_of(o.amount) AS amount, NULL AS owner, NULL AS url, NULL AS fate
FROM src."opportunity" AS o LEFT JOIN told AS t ON t.deal_id = o.opportunityid
UNION ALL BY NAME
SELECT 'opportunity' AS source_table, deal_id AS source_id, name, NULL AS company_id, NULL AS solution, created_at, last_at AS closed_at,
    stage_state(stage) AS state, stage, number_of(amount) AS amount, NULL AS owner, NULL AS url, 'extra' AS fate
FROM told WHERE deal_id NOT IN (SELECT opportunityid FROM src."opportunity")
