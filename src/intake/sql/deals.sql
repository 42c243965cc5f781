-- The account and the solution of each deal.
-- A marketing tool's copy of a CRM's deal, by the CRM's id, is that deal.
-- Without an id, one whose name is that of a single deal on either side is it: such tools take theirs from the CRM.
CREATE TABLE foreign_deals AS
WITH crm AS (
    SELECT c.*, count(*) OVER (PARTITION BY lower(trim(c.name))) AS of_name FROM staged.deals AS c
    JOIN systems AS t ON t.system = c.system AND t.kind = 'salesforce'
),
tools AS (
    SELECT d.*, l.other_id, count(*) OVER (PARTITION BY d.system, lower(trim(d.name))) AS of_name FROM staged.deals AS d
    JOIN systems AS s ON s.system = d.system AND s.kind IN ('marketo', 'account_engagement')
    LEFT JOIN staged.links AS l ON l.object = 'deals' AND l.other_kind = 'salesforce' AND l.system = d.system AND l.source_id = d.source_id
),
by_id AS (
    SELECT d.system, d.source_table, d.source_id, any_value(c.system) AS crm, any_value(c.source_id) AS deal
    FROM tools AS d JOIN crm AS c ON left(c.source_id, 15) = left(coalesce(d.other_id, d.source_id), 15)
        AND length(coalesce(d.other_id, d.source_id)) IN (15, 18)
    GROUP BY ALL
)
FROM by_id
UNION ALL
SELECT d.system, d.source_table, d.source_id, c.system AS crm, c.source_id AS deal
FROM tools AS d JOIN crm AS c ON lower(trim(c.name)) = lower(trim(d.name)) AND c.of_name = 1
WHERE d.of_name = 1 AND NOT EXISTS (FROM by_id AS b WHERE b.system = d.system AND b.source_id = d.source_id)
    AND NOT EXISTS (FROM by_id AS b WHERE b.system = d.system AND b.crm = c.system AND b.deal = c.source_id);
CREATE TABLE deals_placed AS
-- It ended when it was closed last: what was changed of it afterwards, in the same stage, is no later end.
WITH stages AS (
    SELECT system, deal_id, min(occurred_at) AS begun,
        min(occurred_at) FILTER (WHERE state IN ('won', 'lost') AND occurred_at >= coalesce(last_open, occurred_at)) AS ended
    FROM (
        SELECT *, max(occurred_at) FILTER (WHERE state IS NULL) OVER (PARTITION BY system, deal_id) AS last_open
        FROM staged.deal_stages WHERE occurred_at IS NOT NULL)
    GROUP BY ALL
),
by_people AS (
    SELECT dp.system, dp.deal_id, arg_min(k.account_id, (coalesce(dp.joined_at, p.created_at), p.id)) AS account_id
    FROM staged.deal_people AS dp
    JOIN person_ids AS p ON p.system = dp.system AND p.source_table = dp.person_table AND p.source_id = dp.person_id
    JOIN people_known AS k ON k.contact_id = p.id
    WHERE k.account_id IS NOT NULL AND NOT k.own_side GROUP BY ALL
)
SELECT d.* REPLACE (coalesce(d.created_at, s.begun) AS created_at), coalesce(c.id, b.account_id) AS account_id, coalesce(n.name, d.solution, 'default') AS solution_id,
    CASE WHEN d.state IN ('won', 'lost') THEN coalesce(s.ended, d.closed_at, d.created_at, s.begun) END AS ended_at
FROM staged.deals AS d
ANTI JOIN foreign_deals AS f ON f.system = d.system AND f.source_id = d.source_id
LEFT JOIN company_ids AS c ON NOT c.is_text AND c.system = d.system AND c.source_id = d.company_id
LEFT JOIN by_people AS b ON b.system = d.system AND b.deal_id = d.source_id
LEFT JOIN stages AS s ON s.system = d.system AND s.deal_id = d.source_id
LEFT JOIN solution_names AS n ON n.value = d.solution;
