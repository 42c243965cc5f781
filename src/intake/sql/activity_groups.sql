-- Where no deal is open: a group for an account and a solution from when, within 90 days, two contacts or one
-- contact three times turned to the solution's contents; it ends 180 days after the last of this, or in a deal.
CREATE TABLE content_solutions AS
WITH solutions AS (
    SELECT solution_id, solution_id AS word FROM deals_placed WHERE solution_id <> 'default'
    UNION SELECT name, name FROM solution_names UNION SELECT name, value FROM solution_names
    UNION SELECT name, value FROM content_names
)
SELECT c.system, c.content_id, arg_max(s.solution_id, (length(s.word), s.solution_id)) AS solution_id
FROM staged.contents AS c
JOIN solutions AS s ON c.content_id = s.word OR contains(lower(nfc_normalize(c.title)), lower(nfc_normalize(s.word)))
GROUP BY c.system, c.content_id;
CREATE TABLE solution_interest AS
WITH looked AS (
    SELECT a.system, a.person_table, a.person_id, p.id AS contact_id, k.account_id, s.solution_id,
        greatest(a.occurred_at, coalesce(a.recorded_at, a.occurred_at)) AS known_at
    FROM staged.activities AS a
    JOIN systems AS y ON y.system = a.system
    JOIN content_solutions AS s ON s.system = a.system AND s.content_id = a.content_id
    JOIN person_ids AS p ON p.system = a.system AND p.source_table = a.person_table AND p.source_id = a.person_id
    JOIN people_known AS k ON k.contact_id = p.id
    WHERE k.account_id IS NOT NULL AND NOT k.own_side AND NOT regexp_matches(a.kind, 'sales_|_sent$|call_made')
        AND a.occurred_at BETWEEN TIMESTAMP '1990-01-01' AND y.as_of + INTERVAL 1 DAY
)
SELECT l.*, (SELECT count(*) FROM deals_placed AS d
        WHERE d.account_id = l.account_id AND d.solution_id = l.solution_id AND d.created_at <= l.known_at) AS deals_before
FROM looked AS l
WHERE NOT EXISTS (FROM deals_placed AS d WHERE d.account_id = l.account_id AND d.solution_id = l.solution_id
    AND l.known_at BETWEEN d.created_at AND coalesce(d.ended_at, TIMESTAMP '2199-01-01'));
CREATE TABLE activity_groups AS
WITH begun AS (
    SELECT *, known_at > lag(known_at) OVER pair + INTERVAL 180 DAY AS begins FROM solution_interest
    WINDOW pair AS (PARTITION BY account_id, solution_id, deals_before ORDER BY known_at, contact_id)
),
spans AS (
    SELECT *, count(*) FILTER (WHERE begins) OVER (PARTITION BY account_id, solution_id, deals_before
        ORDER BY known_at, contact_id ROWS UNBOUNDED PRECEDING) AS span
    FROM begun
),
counted AS (
    SELECT *, count(DISTINCT contact_id) OVER recent AS contacts, count(*) OVER (
        PARTITION BY account_id, solution_id, deals_before, span, contact_id
        ORDER BY known_at RANGE BETWEEN INTERVAL 90 DAY PRECEDING AND CURRENT ROW) AS times
    FROM spans
    WINDOW recent AS (PARTITION BY account_id, solution_id, deals_before, span
        ORDER BY known_at RANGE BETWEEN INTERVAL 90 DAY PRECEDING AND CURRENT ROW)
)
SELECT *, concat_ws(':', account_id, solution_id, strftime(created_at, '%Y-%m-%d')) AS source_id FROM (
    SELECT account_id, solution_id, deals_before, span, min(system) AS system,
        min(known_at) FILTER (WHERE contacts >= 2 OR times >= 3) AS created_at, max(known_at) AS last_at
    FROM counted GROUP BY account_id, solution_id, deals_before, span)
WHERE created_at IS NOT NULL;
CREATE TABLE activity_members AS
WITH spans AS (
    SELECT *, count(*) FILTER (WHERE begins) OVER (PARTITION BY account_id, solution_id, deals_before
        ORDER BY known_at, contact_id ROWS UNBOUNDED PRECEDING) AS span
    FROM (SELECT *, known_at > lag(known_at) OVER (PARTITION BY account_id, solution_id, deals_before ORDER BY known_at, contact_id)
        + INTERVAL 180 DAY AS begins FROM solution_interest)
)
SELECT g.system, 'activity_group' AS source_table, concat_ws(':', g.source_id, s.contact_id) AS source_id, g.source_id AS deal_id,
    s.contact_id, greatest(any_value(g.created_at), min(s.known_at)) AS joined_at
FROM activity_groups AS g
JOIN spans AS s ON s.account_id = g.account_id AND s.solution_id = g.solution_id AND s.deals_before = g.deals_before AND s.span = g.span
GROUP BY g.system, g.source_id, s.contact_id;
INSERT INTO deals_placed BY NAME
SELECT g.system, 'activity_group' AS source_table, g.source_id, g.account_id, g.solution_id, g.solution_id AS solution, g.created_at,
    CASE WHEN d.next_deal <= g.last_at + INTERVAL 180 DAY THEN d.next_deal
         WHEN g.last_at + INTERVAL 180 DAY < (SELECT max(as_of) FROM systems) THEN g.last_at + INTERVAL 180 DAY END AS ended_at
FROM activity_groups AS g
LEFT JOIN LATERAL (SELECT min(d.created_at) AS next_deal FROM deals_placed AS d WHERE d.account_id = g.account_id
    AND d.solution_id = g.solution_id AND d.created_at > g.created_at) AS d ON true;
-- By the person's id, as the record that looked may be in another system than the group's first.
INSERT INTO staged.deal_people BY NAME
SELECT m.system, m.source_table, m.source_id, m.deal_id, p.source_table AS person_table, p.source_id AS person_id, m.joined_at
FROM activity_members AS m
JOIN (SELECT id, system, arg_min(source_table, (source_table, source_id)) AS source_table,
    arg_min(source_id, (source_table, source_id)) AS source_id FROM person_ids WHERE NOT is_alias GROUP BY id, system) AS p
    ON p.id = m.contact_id AND p.system = m.system;
