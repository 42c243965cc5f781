SELECT 'Opportunity' AS source_table, id AS source_id, name, accountid AS company_id, coalesce(solution_value, pipeline) AS solution,
    moment(createddate) AS created_at, day_end(closedate) AS closed_at,
    CASE WHEN coalesce(flag(iswon), false) THEN 'won' WHEN coalesce(flag(isclosed), false) THEN 'lost'
         WHEN iswon IS NULL AND isclosed IS NULL THEN stage_state(stagename) END AS state,
    stagename AS stage, number_of(amount) AS amount, ownerid AS owner, NULL AS url,
    CASE WHEN flag(isdeleted) THEN 'meaningless: deleted' END AS fate
FROM src."Opportunity"
