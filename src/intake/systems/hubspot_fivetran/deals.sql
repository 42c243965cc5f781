WITH main_company AS (SELECT dealid, arg_min(companyid, (typeid IS DISTINCT FROM '5', companyid)) AS companyid FROM src."deal_company" GROUP BY ALL)
SELECT 'deal' AS source_table, d.dealid AS source_id, d.dealname AS name, a.companyid AS company_id,
    coalesce(d.solution_value, p.label, d.pipeline) AS solution, moment(d.createdate) AS created_at, moment(d.closedate) AS closed_at,
    coalesce(CASE WHEN flag(d.hsisclosedwon) THEN 'won' WHEN flag(d.hsisclosed) THEN 'lost' END, s.state,
        CASE WHEN s.stageid IS NULL THEN stage_state(d.stage) END) AS state,
    coalesce(s.label, d.stage) AS stage, number_of(d.amount) AS amount, d.ownerid AS owner,
    CASE WHEN d.portalid IS NOT NULL THEN concat('https://app.hubspot.com/contacts/', d.portalid, '/record/0-3/', d.dealid) END AS url,
    CASE WHEN flag(d.deleted) AND d.dealid NOT IN (SELECT mergeddealid FROM src."merged_deal") THEN 'meaningless: deleted'
         WHEN d.dealid IN (SELECT mergeddealid FROM src."merged_deal") THEN 'meaningless: merged into another deal' END AS fate
FROM src."deal" AS d
LEFT JOIN main_company AS a USING (dealid)
LEFT JOIN src."deal_pipeline" AS p ON p.pipelineid = d.pipeline
LEFT JOIN stage_states AS s ON s.stageid = d.stage
