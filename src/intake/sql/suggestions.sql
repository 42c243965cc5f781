-- Who of the account's other contacts may have a role that an open group lacks: by title, then by what they did lately.
CREATE TABLE side.suggestions AS
WITH now AS (SELECT max(as_of) AS as_of FROM systems),
open_groups AS (
    SELECT g.group_id, g.account_id, g.solution_id FROM contract.buying_groups AS g
    WHERE g.group_id NOT IN (SELECT group_id FROM deal_events GROUP BY group_id
        HAVING arg_max(stage, (occurred_at, stage = 'reopened')) IN (SELECT stage FROM closing_stages))
),
lacking AS (
    SELECT g.*, r.role FROM open_groups AS g CROSS JOIN wanted_roles AS r
    WHERE (SELECT count(*) FROM contract.members AS m WHERE m.group_id = g.group_id AND m.role = r.role AND m.left_at IS NULL) < r.required
),
recent AS (
    SELECT contact_id, count(*) FILTER (WHERE occurred_at >= as_of - INTERVAL 90 DAY) AS activities_90d, max(occurred_at) AS last_activity_at
    FROM contract.activities, now
    WHERE contact_id IS NOT NULL AND occurred_at <= as_of + INTERVAL 1 DAY AND NOT regexp_matches(kind, 'sales_|_sent$|call_made') GROUP BY contact_id
),
known AS (
    SELECT k.contact_id, c.account_id, k.title, t.role, CASE WHEN t.decided THEN 1.0 ELSE t.probability END AS probability
    FROM people_known AS k JOIN contract.contacts AS c USING (contact_id)
    JOIN title_roles AS t ON t.title = k.title AND t.department = coalesce(k.department, '')
    WHERE NOT k.own_side AND k.ended_at IS NULL
),
ranked AS (
    SELECT l.group_id, l.role, k.contact_id, k.title, k.probability, r.last_activity_at, coalesce(r.activities_90d, 0) AS activities_90d,
        row_number() OVER (PARTITION BY l.group_id, l.role ORDER BY k.probability * (1 + least(coalesce(r.activities_90d, 0), 10) / 10.0) DESC,
            r.last_activity_at DESC NULLS LAST, k.contact_id) AS rank
    FROM lacking AS l
    JOIN known AS k ON k.account_id = l.account_id AND k.role = l.role
    LEFT JOIN recent AS r USING (contact_id)
    WHERE NOT EXISTS (FROM contract.members AS m WHERE m.group_id = l.group_id AND m.contact_id = k.contact_id)
)
SELECT group_id, role, CAST(rank AS INTEGER) AS rank, contact_id, probability, CAST(activities_90d AS INTEGER) AS activities_90d, last_activity_at,
    list_filter([
        concat('title "', title, '" says ', role, ' (', printf('%.2f', probability), ')'),
        CASE WHEN activities_90d > 0 THEN concat(activities_90d, CASE WHEN activities_90d = 1 THEN ' activity' ELSE ' activities' END, ' in the last 90 days') END,
        CASE WHEN last_activity_at IS NOT NULL THEN concat('last active on ', strftime(last_activity_at, '%Y-%m-%d'))
             ELSE 'has done nothing yet' END
    ], lambda one: one IS NOT NULL) AS reasons
FROM ranked WHERE rank <= 3;
