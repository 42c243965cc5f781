-- Deals to buying groups: one for each account and solution, as long as any of its deals is open.
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
        ORDER BY coalesce(least(b.first_seen_at, s.as_of), s.as_of),
            b.first_seen_at IS NULL AND d.system IN (SELECT system FROM seen_before), created_at, d.system, d.source_table, d.source_id) AS group_id
FROM deal_islands AS d
JOIN systems AS s ON s.system = d.system
LEFT JOIN seen_before AS b ON b.tbl = 'buying_groups' AND b.system = d.system AND b.source_table = d.source_table AND b.source_id = d.source_id;
INSERT INTO group_deals
SELECT g.* REPLACE (f.system AS system, f.source_table AS source_table, f.source_id AS source_id)
FROM foreign_deals AS f JOIN group_deals AS g ON g.system = f.crm AND g.source_id = f.deal;
