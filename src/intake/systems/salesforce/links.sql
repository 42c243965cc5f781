SELECT 'companies' AS object, 'Account' AS source_table, id AS source_id, 'Account' AS other_table, masterrecordid AS other_id,
    'crm_merge' AS decided_by, NULL AS linked_at
FROM src."Account" WHERE masterrecordid IS NOT NULL
UNION ALL BY NAME
SELECT 'people' AS object, 'Contact' AS source_table, id AS source_id, 'Contact' AS other_table, masterrecordid AS other_id,
    'crm_merge' AS decided_by
FROM src."Contact" WHERE masterrecordid IS NOT NULL
UNION ALL BY NAME
SELECT 'people' AS object, 'Lead' AS source_table, id AS source_id, 'Lead' AS other_table, masterrecordid AS other_id,
    'crm_merge' AS decided_by
FROM src."Lead" WHERE masterrecordid IS NOT NULL
UNION ALL BY NAME
SELECT 'people' AS object, 'Lead' AS source_table, id AS source_id, 'Contact' AS other_table, convertedcontactid AS other_id,
    'crm_conversion' AS decided_by, moment(converteddate) AS linked_at
FROM src."Lead" WHERE convertedcontactid IS NOT NULL
