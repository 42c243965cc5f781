-- Who is a member from when: dated, seen by an earlier import to be absent, or inferred.
CREATE TABLE placed_activities AS
SELECT a.*, p.id AS contact_id, g.group_id, k.account_id IS NOT NULL OR g.group_id IS NOT NULL AS at_home
FROM staged.activities AS a
LEFT JOIN person_ids AS p ON p.system = a.system AND p.source_table = a.person_table AND p.source_id = a.person_id
LEFT JOIN people_known AS k ON k.contact_id = p.id AND NOT k.unknown
LEFT JOIN group_deals AS g ON g.system = a.system AND g.source_id = a.deal_id;
CREATE TABLE ties AS
SELECT contact_id, group_id, min(occurred_at) AS first_tied_at FROM placed_activities
WHERE contact_id IS NOT NULL AND group_id IS NOT NULL GROUP BY ALL;
CREATE TABLE role_rows AS
WITH placed AS (
    SELECT r.*, p.id AS contact_id, g.group_id, g.created_at AS deal_created, g.ended_at AS deal_ended, k.own_side, k.unknown,
        greatest(p.created_at, g.created_at) AS both_created, t.first_tied_at, k.ended_at AS person_ended,
        s.first_seen_at, y.as_of, y.first_as_of
    FROM staged.deal_people AS r
    JOIN systems AS y ON y.system = r.system
    LEFT JOIN person_ids AS p ON p.system = r.system AND p.source_table = r.person_table AND p.source_id = r.person_id
    LEFT JOIN people_known AS k ON k.contact_id = p.id
    LEFT JOIN group_deals AS g ON g.system = r.system AND g.source_id = r.deal_id
    LEFT JOIN ties AS t ON t.contact_id = p.id AND t.group_id = g.group_id
    LEFT JOIN staged.sightings AS s ON s.system = r.system AND s.deal_id = r.deal_id AND s.person_table = r.person_table
        AND s.person_id = r.person_id
),
evidence AS (
    SELECT *, greatest(both_created, coalesce(first_tied_at, both_created)) AS first_evidence FROM placed
),
-- The n-th contact by evidence takes the n-th increase of the deal's number of contacts.
increases AS (
    SELECT system, deal_id, counted_at, row_number() OVER (PARTITION BY system, deal_id ORDER BY counted_at, step) AS place,
        count(*) OVER (PARTITION BY system, deal_id) AS increases
    FROM (
        SELECT system, deal_id, counted_at, unnest(range(before, people)) AS step FROM (
            SELECT system, deal_id, counted_at, people, coalesce(lag(people) OVER (
                PARTITION BY system, deal_id ORDER BY counted_at, people), 0) AS before
            FROM staged.deal_counts WHERE counted_at IS NOT NULL)
        WHERE people > before)
),
ordered AS (
    SELECT *, dense_rank() OVER (PARTITION BY system, deal_id
        ORDER BY first_tied_at NULLS LAST, first_evidence NULLS LAST, coalesce(contact_id, person_id)) AS nth
    FROM evidence
),
-- Of more increases than contacts, the first may have been of contacts who are gone.
shifted AS (
    SELECT o.*, nth + greatest(coalesce(n.increases, 0) - max(nth) OVER (PARTITION BY o.system, o.deal_id), 0) AS nth_increase
    FROM ordered AS o LEFT JOIN (SELECT DISTINCT system, deal_id, increases FROM increases) AS n USING (system, deal_id)
),
-- The first n took the first n increases if all were seen at the deal before the next one. Where that does not tell
-- them apart each may have been the last of them: the later date is the one that lets no future in.
numbered AS (
    SELECT * EXCLUDE (told_apart), min(CASE WHEN told_apart THEN nth_increase END) OVER (
        PARTITION BY system, deal_id ORDER BY nth RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS place
    FROM (
        SELECT s.*, i.counted_at IS NULL OR i.counted_at > max(coalesce(s.first_tied_at, TIMESTAMP '2199-01-01')) OVER (
            PARTITION BY s.system, s.deal_id ORDER BY s.nth) AS told_apart
        FROM shifted AS s LEFT JOIN increases AS i ON i.system = s.system AND i.deal_id = s.deal_id AND i.place = s.nth_increase + 1)
)
SELECT n.* EXCLUDE (place, nth, nth_increase), i.counted_at,
    CASE WHEN n.source_table = 'activity_group' THEN 'inferred'
         WHEN n.joined_at IS NOT NULL THEN 'exact'
         WHEN n.first_seen_at > n.first_as_of THEN 'first_seen' ELSE 'inferred' END AS joined_is,
    least(n.as_of, CASE WHEN n.joined_at IS NOT NULL THEN n.joined_at
         WHEN n.first_seen_at > n.first_as_of THEN n.first_seen_at
         WHEN i.counted_at IS NOT NULL THEN greatest(i.counted_at, n.both_created)
         WHEN n.first_tied_at IS NULL AND getvariable('inferred_joins') = 'late' THEN coalesce(n.deal_ended, n.as_of)
         ELSE n.first_evidence END) AS joined,
    CASE WHEN n.contact_id IS NULL OR n.unknown THEN 'unplaced: contact not in the export'
         WHEN n.group_id IS NULL THEN 'unplaced: deal without a place'
         WHEN n.own_side THEN 'meaningless: our own side'
         WHEN n.joined_at IS NULL AND n.first_tied_at IS NULL AND i.counted_at IS NULL AND NOT n.first_seen_at > n.first_as_of
             AND getvariable('inferred_joins') = 'exclude' THEN 'unplaced: no date on which it joined'
    END AS fate
FROM numbered AS n
LEFT JOIN increases AS i ON i.system = n.system AND i.deal_id = n.deal_id AND i.place = n.place;
