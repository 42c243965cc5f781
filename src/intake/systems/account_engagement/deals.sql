SELECT 'opportunity' AS source_table, id AS source_id, name, NULL AS company_id, solution_value AS solution, moment(createdat) AS created_at,
    moment(closedat) AS closed_at, coalesce(stage_state(status), stage_state(stage)) AS state, stage, number_of(value) AS amount, NULL AS owner, NULL AS url, NULL AS fate
FROM src."opportunity"
