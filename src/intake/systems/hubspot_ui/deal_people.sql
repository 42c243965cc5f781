WITH pairs AS (SELECT id, unnest(ids_of(contactids)) AS person, changeddate FROM src."Deal")
SELECT 'Deal' AS source_table, p.id AS source_id, p.id AS deal_id, 'Contact' AS person_table, p.person AS person_id,
    c.buyingrole AS value, NULL AS joined_at, NULL AS left_at, moment(p.changeddate) AS changed_at, NULL AS fate
FROM pairs AS p LEFT JOIN src."Contact" AS c ON c.id = p.person
