SELECT 'Deal' AS source_table, id AS source_id, dealname AS name,
    coalesce(ids_of(companyids)[1], (SELECT any_value(c.id) FROM src."Company" AS c WHERE c.name = d.companynames)) AS company_id,
    coalesce(solution_value, pipeline) AS solution, moment(createdate) AS created_at, day_end(closedate) AS closed_at,
    coalesce(CASE WHEN flag(won) THEN 'won' WHEN flag(lost) THEN 'lost' END,
        stage_state(regexp_replace(dealstage, ' *[(（][^()（）]*[)）]$', '')), stage_state(dealstage),
        CASE WHEN flag(closed) THEN 'lost' END) AS state,
    dealstage AS stage, number_of(amount) AS amount, owner, NULL AS url, NULL AS fate
FROM src."Deal" AS d
