WITH linked AS (SELECT prospectid, opportunityid, min(moment(createdat)) FILTER (WHERE type = '19') AS joined_at, min(moment(createdat)) FILTER (WHERE type = '38') AS left_at
    FROM src."visitor_activity" WHERE opportunityid IS NOT NULL GROUP BY ALL)
SELECT 'opportunity_prospect' AS source_table, concat_ws(':', o.opportunityid, o.prospectid) AS source_id, o.opportunityid AS deal_id, 'prospect' AS person_table,
    o.prospectid AS person_id, NULL AS value, l.joined_at, l.left_at, moment(o.updatedat) AS changed_at, NULL AS fate
FROM src."opportunity_prospect" AS o LEFT JOIN linked AS l ON l.prospectid = o.prospectid AND l.opportunityid = o.opportunityid
