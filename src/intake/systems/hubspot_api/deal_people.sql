WITH in_table AS (SELECT value AS deal_id, contactsid AS contact_id FROM src."deals__contacts")
SELECT CASE WHEN t.deal_id IS NOT NULL THEN 'deals__contacts' ELSE 'deals' END AS source_table,
    CASE WHEN t.deal_id IS NOT NULL THEN concat_ws(':', t.deal_id, t.contact_id) ELSE p.deal_id END AS source_id,
    p.deal_id, 'contacts' AS person_table, p.contact_id AS person_id, c.hsbuyingrole AS value,
    NULL AS joined_at, NULL AS left_at, NULL AS changed_at, NULL AS fate
FROM pairs_deal_contact AS p
LEFT JOIN in_table AS t ON t.deal_id = p.deal_id AND t.contact_id = p.contact_id
LEFT JOIN src."contacts" AS c ON c.id = p.contact_id
