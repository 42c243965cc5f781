-- Activity 34 adds a lead to an opportunity, 35 takes it away again.
WITH added AS (
    SELECT *, (SELECT min(r.happened) FROM events AS r WHERE r.type = 35 AND r.leadid = a.leadid AND r.deal_id = a.deal_id AND r.happened >= a.happened) AS left_at
    FROM events AS a WHERE type = 34
)
SELECT 'activities' AS source_table, id AS source_id, deal_id, 'lead' AS person_table, leadid AS person_id, role AS value,
    happened AS joined_at, left_at, happened AS changed_at,
    CASE WHEN deal_id IS NULL THEN 'unplaced: no opportunity in the row' END AS fate
FROM added
UNION ALL BY NAME
SELECT 'opportunity_role' AS source_table, concat_ws(':', opportunityid, leadid, role) AS source_id, opportunityid AS deal_id, 'lead' AS person_table,
    leadid AS person_id, role AS value, moment(createdat) AS joined_at, NULL AS left_at, coalesce(moment(changed), moment(createdat)) AS changed_at, NULL AS fate
FROM src."opportunity_role"
