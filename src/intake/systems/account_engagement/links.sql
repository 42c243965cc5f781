SELECT 'people' AS object, 'prospect' AS source_table, id AS source_id, 'Contact' AS other_table, crmcontactfid AS other_id, 'salesforce' AS other_kind, 'crm_merge' AS decided_by, NULL AS linked_at
FROM src."prospect" WHERE crmcontactfid IS NOT NULL
UNION ALL BY NAME
SELECT 'people' AS object, 'prospect' AS source_table, id AS source_id, 'Lead' AS other_table, crmleadfid AS other_id, 'salesforce' AS other_kind, 'crm_merge' AS decided_by
FROM src."prospect" WHERE crmleadfid IS NOT NULL
UNION ALL BY NAME
SELECT 'deals' AS object, 'opportunity' AS source_table, id AS source_id, 'Opportunity' AS other_table, crmid AS other_id, 'salesforce' AS other_kind, 'crm_merge' AS decided_by
FROM src."opportunity" WHERE crmid IS NOT NULL
