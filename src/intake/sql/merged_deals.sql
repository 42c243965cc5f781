-- What a merged deal had is the remaining deal's, but its stages: that one has a history of its own.
CREATE TABLE merged_deals AS
WITH RECURSIVE chain AS (
    SELECT system, source_id AS gone, other_id AS deal, 1 AS steps FROM staged.links WHERE object = 'deals' AND other_kind IS NULL
    UNION
    SELECT c.system, c.gone, l.other_id, c.steps + 1 FROM chain AS c
    JOIN staged.links AS l ON l.object = 'deals' AND l.other_kind IS NULL AND l.system = c.system AND l.source_id = c.deal
    WHERE c.steps < 10
)
SELECT system, gone, arg_max(deal, steps) AS deal FROM chain GROUP BY ALL;
UPDATE staged.deal_people AS t SET deal_id = m.deal FROM merged_deals AS m WHERE m.system = t.system AND m.gone = t.deal_id;
UPDATE staged.activities AS t SET deal_id = m.deal FROM merged_deals AS m WHERE m.system = t.system AND m.gone = t.deal_id;
