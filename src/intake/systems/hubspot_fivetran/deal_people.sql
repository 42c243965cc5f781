-- Types 3 and 4 only say that the two belong together; a contact may carry several types, its role among them.
SELECT 'deal_contact' AS source_table, concat_ws(':', d.dealid, d.contactid, d.typeid) AS source_id,
    d.dealid AS deal_id, 'contact' AS person_table, d.contactid AS person_id,
    coalesce(d.label, CASE WHEN d.typeid NOT IN ('3', '4') AND d.category IS DISTINCT FROM 'HUBSPOT_DEFINED' THEN d.typeid END, c.hsbuyingrole) AS value,
    NULL AS joined_at, NULL AS left_at, moment(d.changed) AS changed_at, NULL AS fate
FROM src."deal_contact" AS d LEFT JOIN src."contact" AS c ON c.id = d.contactid
