-- Deals to buying groups: one for each account and solution, as long as any of its deals is open.
-- A marketing tool's copy of a CRM's deal, by the CRM's id, is that deal.
CREATE TABLE foreign_deals AS
SELECT d.system, d.source_table, d.source_id, any_value(c.system) AS crm, any_value(c.source_id) AS deal
FROM staged.deals AS d JOIN systems AS s ON s.system = d.system AND s.kind <> 'salesforce'
JOIN staged.deals AS c ON left(c.source_id, 15) = left(d.source_id, 15) AND length(d.source_id) IN (15, 18)
JOIN systems AS t ON t.system = c.system AND t.kind = 'salesforce'
GROUP BY ALL;
CREATE TABLE deals_placed AS
WITH stages AS (
    SELECT system, deal_id, arg_max(state, occurred_at) AS last_state, max(occurred_at) FILTER (WHERE state IN ('won', 'lost')) AS ended
    FROM staged.deal_stages WHERE occurred_at IS NOT NULL GROUP BY ALL
),
by_people AS (
    SELECT dp.system, dp.deal_id, arg_min(k.account_id, (coalesce(dp.joined_at, p.created_at), p.id)) AS account_id
    FROM staged.deal_people AS dp
    JOIN person_ids AS p ON p.system = dp.system AND p.source_table = dp.person_table AND p.source_id = dp.person_id
    JOIN people_known AS k ON k.contact_id = p.id
    WHERE k.account_id IS NOT NULL AND NOT k.own_side GROUP BY ALL
)
SELECT d.*, coalesce(c.id, b.account_id) AS account_id, coalesce(n.name, d.solution, 'default') AS solution_id,
    CASE WHEN d.state IN ('won', 'lost') THEN coalesce(s.ended, d.closed_at, d.created_at) END AS ended_at
FROM staged.deals AS d
ANTI JOIN foreign_deals AS f ON f.system = d.system AND f.source_id = d.source_id
LEFT JOIN company_ids AS c ON NOT c.is_text AND c.system = d.system AND c.source_id = d.company_id
LEFT JOIN by_people AS b ON b.system = d.system AND b.deal_id = d.source_id
LEFT JOIN stages AS s ON s.system = d.system AND s.deal_id = d.source_id
LEFT JOIN solution_names AS n ON n.value = d.solution;
CREATE TABLE deal_islands AS
WITH ordered AS (
    SELECT *, max(coalesce(ended_at, TIMESTAMP '2199-01-01')) OVER (
        PARTITION BY account_id, solution_id ORDER BY created_at, system, source_table, source_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS others_ended
    FROM deals_placed WHERE account_id IS NOT NULL AND created_at IS NOT NULL
)
SELECT *, sum(CASE WHEN others_ended IS NULL OR created_at > others_ended THEN 1 ELSE 0 END) OVER (
    PARTITION BY account_id, solution_id ORDER BY created_at, system, source_table, source_id
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS island
FROM ordered;
CREATE TABLE group_deals AS
SELECT d.*, coalesce(least(b.first_seen_at, s.as_of), s.as_of) AS first_seen_at,
    first_value(record_id(d.system, d.source_table, d.source_id)) OVER (
        PARTITION BY account_id, solution_id, island
        ORDER BY coalesce(least(b.first_seen_at, s.as_of), s.as_of), created_at, d.system, d.source_table, d.source_id) AS group_id
FROM deal_islands AS d
JOIN systems AS s ON s.system = d.system
LEFT JOIN seen_before AS b ON b.tbl = 'buying_groups' AND b.system = d.system AND b.source_table = d.source_table AND b.source_id = d.source_id;
INSERT INTO group_deals
SELECT g.* REPLACE (f.system AS system, f.source_table AS source_table, f.source_id AS source_id)
FROM foreign_deals AS f JOIN group_deals AS g ON g.system = f.crm AND g.source_id = f.deal;
