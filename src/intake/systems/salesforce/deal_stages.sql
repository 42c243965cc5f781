WITH states AS (
    SELECT coalesce(apiname, masterlabel) AS stage,
        CASE WHEN bool_or(flag(iswon)) THEN 'won' WHEN bool_or(flag(isclosed)) THEN 'lost' ELSE 'open' END AS state
    FROM src."OpportunityStage" GROUP BY ALL
    UNION ALL
    SELECT stagename AS stage, CASE WHEN bool_or(flag(iswon)) THEN 'won' WHEN bool_or(flag(isclosed)) THEN 'lost' ELSE 'open' END AS state
    FROM src."Opportunity" WHERE stagename IS NOT NULL AND isclosed IS NOT NULL GROUP BY ALL
),
known AS (
    SELECT stage, CASE WHEN bool_or(state = 'won') THEN 'won' WHEN bool_or(state = 'lost') THEN 'lost' ELSE 'open' END AS state
    FROM states GROUP BY ALL
),
history AS (
    SELECT 'OpportunityHistory' AS source_table, coalesce(id, concat(opportunityid, ':', createddate, ':', stagename)) AS source_id,
        opportunityid AS deal_id, stagename AS stage, moment(createddate) AS occurred_at, number_of(amount) AS amount, 0 AS rank,
        CASE WHEN flag(isdeleted) THEN 'meaningless: deleted' WHEN stagename IS NULL THEN 'meaningless: no stage' END AS fate
    FROM src."OpportunityHistory"
    UNION ALL BY NAME
    SELECT 'OpportunityFieldHistory' AS source_table,
        coalesce(id, concat(opportunityid, ':', createddate, ':', field)) AS source_id, opportunityid AS deal_id,
        newvalue AS stage, moment(createddate) AS occurred_at, NULL AS amount, 1 AS rank,
        CASE WHEN flag(isdeleted) THEN 'meaningless: deleted' WHEN lower(field) NOT IN ('stagename', 'stage')
             THEN 'meaningless: history of another field' WHEN newvalue IS NULL THEN 'meaningless: no stage' END AS fate
    FROM src."OpportunityFieldHistory"
    UNION ALL BY NAME
    -- A connector that keeps every version of a row keeps the stages in them.
    SELECT 'Opportunity' AS source_table, id AS source_id, id AS deal_id, stagename AS stage,
        moment(valid_from) AS occurred_at, number_of(amount) AS amount, 2 AS rank, NULL AS fate
    FROM versions."Opportunity" WHERE valid_from IS NOT NULL AND stagename IS NOT NULL
        AND id IN (SELECT id FROM src."Opportunity" WHERE NOT coalesce(flag(isdeleted), false))
    UNION ALL BY NAME
    -- What a deal was in before its first recorded change, it was in when it was created.
    SELECT 'OpportunityFieldHistory' AS source_table, 'first:' || opportunityid AS source_id, opportunityid AS deal_id,
        arg_min(oldvalue, moment(f.createddate)) AS stage, any_value(moment(o.createddate)) AS occurred_at, NULL AS amount, 1 AS rank,
        'extra' AS fate
    FROM src."OpportunityFieldHistory" AS f JOIN src."Opportunity" AS o ON o.id = f.opportunityid
    WHERE lower(field) IN ('stagename', 'stage') AND oldvalue IS NOT NULL AND NOT coalesce(flag(f.isdeleted), false)
    GROUP BY opportunityid
    UNION ALL BY NAME
    -- An open deal without a change, since changes are recorded at all, is in its stage since it was created.
    SELECT 'OpportunityFieldHistory' AS source_table, 'first:' || id AS source_id, id AS deal_id, stagename AS stage,
        moment(createddate) AS occurred_at, number_of(amount) AS amount, 1 AS rank, 'extra' AS fate
    FROM src."Opportunity" AS o WHERE NOT coalesce(flag(isdeleted), false) AND NOT coalesce(flag(isclosed), stage_state(stagename) IS NOT NULL)
        AND moment(createddate) >= (SELECT min(moment(createddate)) FROM src."OpportunityFieldHistory" WHERE lower(field) IN ('stagename', 'stage'))
        AND NOT EXISTS (FROM src."OpportunityFieldHistory" AS f WHERE f.opportunityid = o.id AND lower(f.field) IN ('stagename', 'stage'))
        AND NOT EXISTS (FROM src."OpportunityHistory" AS h WHERE h.opportunityid = o.id)
)
SELECT history.*, CASE WHEN known.state = 'open' THEN NULL ELSE coalesce(known.state, stage_state(history.stage)) END AS state
FROM history LEFT JOIN known ON known.stage = history.stage
