-- Stage events: of histories that say the same, the better; equal consecutive stages are one.
CREATE TABLE deal_events AS
WITH known AS (
    SELECT s.system, s.deal_id, g.group_id, s.occurred_at, s.amount, s.source_table, s.source_id, s.rank,
        coalesce(n.name, s.state, s.stage) AS stage, s.state
    FROM staged.deal_stages AS s
    JOIN group_deals AS g ON g.system = s.system AND g.source_id = s.deal_id
    LEFT JOIN stage_names AS n ON n.value = s.stage
    WHERE s.occurred_at IS NOT NULL AND NOT EXISTS (FROM foreign_deals AS f WHERE f.system = s.system AND f.source_id = s.deal_id)
),
best AS (
    SELECT *, min(rank) OVER (PARTITION BY system, deal_id) AS best_rank FROM known
),
-- A better history that begins in the middle does not hide what a longer one says of before.
kept AS (
    SELECT *, min(CASE WHEN rank = best_rank THEN occurred_at END) OVER (PARTITION BY system, deal_id) AS best_begins FROM best
    QUALIFY rank = best_rank OR occurred_at < best_begins - INTERVAL 1 SECOND
)
SELECT system, deal_id, group_id, stage, state, occurred_at, amount, 'exact' AS dated
FROM kept
QUALIFY stage IS DISTINCT FROM lag(stage) OVER (PARTITION BY system, deal_id ORDER BY occurred_at, source_id);
-- A deal that leaves a closing stage for an open one is open again.
INSERT INTO deal_events
SELECT DISTINCT system, deal_id, group_id, 'reopened', NULL, occurred_at, NULL, 'exact' FROM (
    SELECT *, lag(state) OVER (PARTITION BY system, deal_id ORDER BY occurred_at, stage) AS before FROM deal_events)
WHERE before IN ('won', 'lost') AND state IS NULL AND stage <> 'reopened';
-- Where no history has the end, the date of closing does.
INSERT INTO deal_events
SELECT g.system, g.source_id, g.group_id, coalesce(n.name, g.state), g.state,
    least(greatest(coalesce(g.closed_at, g.created_at), g.created_at), s.as_of), g.amount, 'inferred'
FROM group_deals AS g
JOIN systems AS s ON s.system = g.system
LEFT JOIN stage_names AS n ON n.value = g.stage
WHERE g.state IN ('won', 'lost') AND NOT EXISTS (FROM foreign_deals AS f WHERE f.system = g.system AND f.source_id = g.source_id)
    AND NOT EXISTS (FROM deal_events AS e WHERE e.system = g.system AND e.deal_id = g.source_id AND e.state IN ('won', 'lost'));
