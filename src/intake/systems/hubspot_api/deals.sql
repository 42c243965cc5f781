WITH main_company AS (SELECT deal_id, min(company_id) AS company_id FROM pairs_deal_company GROUP BY ALL),
pipelines AS (
    SELECT pipelineid AS id, label FROM src."deal_pipelines" UNION ALL SELECT id, label FROM src."pipelines_deals"
)
SELECT 'deals' AS source_table, d.id AS source_id, d.dealname AS name, a.company_id,
    coalesce(d.solution_value, (SELECT any_value(label) FROM pipelines AS p WHERE p.id = d.pipeline), d.pipeline) AS solution,
    moment(d.createdate) AS created_at, moment(d.closedate) AS closed_at,
    coalesce(CASE WHEN flag(d.hsisclosedwon) THEN 'won' WHEN flag(d.hsisclosed) THEN 'lost' END, s.state,
        CASE WHEN s.id IS NULL THEN stage_state(d.dealstage) END) AS state,
    coalesce(s.label, d.dealstage) AS stage, number_of(d.amount) AS amount, d.hubspotownerid AS owner, NULL AS url,
    CASE WHEN flag(d.archived) THEN 'meaningless: deleted' END AS fate
FROM src."deals" AS d
LEFT JOIN main_company AS a ON a.deal_id = d.id
LEFT JOIN stage_labels AS s ON s.id = d.dealstage
