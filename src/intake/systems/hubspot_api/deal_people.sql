WITH pairs AS (
    SELECT 'deals__contacts' AS source_table, concat_ws(':', value, contactsid) AS source_id, value AS deal_id, contactsid AS contact_id
    FROM src."deals__contacts"
    UNION ALL BY NAME
    SELECT 'contacts__deals' AS source_table, concat_ws(':', value, dealsid) AS source_id, dealsid AS deal_id, value AS contact_id
    FROM src."contacts__deals"
    UNION ALL BY NAME
    -- The associations of an archived deal are part of its row, which says that it is deleted.
    SELECT DISTINCT 'deals' AS source_table, id AS source_id, id AS deal_id, unnest(ids_of(contacts)) AS contact_id
    FROM src."deals" WHERE NOT coalesce(flag(archived), false)
)
SELECT p.source_table, p.source_id, p.deal_id, 'contacts' AS person_table, p.contact_id AS person_id, c.hsbuyingrole AS value,
    NULL AS joined_at, NULL AS left_at, NULL AS changed_at, NULL AS fate
FROM pairs AS p LEFT JOIN src."contacts" AS c ON c.id = p.contact_id
