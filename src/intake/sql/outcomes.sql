-- What became of every record: used if anything of it was, else unplaced, else meaningless.
CREATE TABLE outcomes AS
WITH fates AS (
    SELECT source_table, source_id, fate FROM evidence.companies
    UNION ALL SELECT source_table, source_id, fate FROM evidence.people
    UNION ALL SELECT source_table, source_id, fate FROM evidence.deals
    UNION ALL SELECT source_table, source_id, fate FROM evidence.deal_people
    UNION ALL SELECT source_table, source_id, fate FROM evidence.deal_stages
    UNION ALL SELECT source_table, source_id, fate FROM evidence.deal_counts
    UNION ALL SELECT source_table, source_id, fate FROM evidence.activities
    UNION ALL SELECT source_table, source_id, fate FROM evidence.contents
    UNION ALL SELECT source_table, source_id, fate FROM evidence.users
    UNION ALL SELECT source_table, source_id, fate FROM evidence.others
)
SELECT source_table, source_id,
    CASE WHEN bool_or(fate IS NULL) THEN NULL
         ELSE coalesce(min(fate) FILTER (WHERE starts_with(fate, 'unplaced')), min(fate)) END AS fate
FROM fates WHERE fate IS DISTINCT FROM 'extra' AND source_id IS NOT NULL
GROUP BY source_table, source_id;
CREATE VIEW unplaced_rows AS
SELECT source_table, source_id, substr(fate, 11) AS reason FROM outcomes WHERE starts_with(fate, 'unplaced: ');
