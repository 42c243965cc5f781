SELECT 'people' AS object, 'lead' AS source_table, other AS source_id, 'lead' AS other_table, leadid AS other_id, NULL AS other_kind,
    'crm_merge' AS decided_by, happened AS linked_at
FROM (SELECT leadid, happened, unnest(ids_of(merge_ids)) AS other FROM events WHERE type = 32) WHERE other <> leadid
UNION ALL BY NAME
SELECT 'people' AS object, 'lead' AS source_table, id AS source_id, 'Contact' AS other_table, coalesce(sfdccontactid, sfdcid) AS other_id, 'salesforce' AS other_kind,
    'crm_merge' AS decided_by
FROM src."lead" WHERE sfdccontactid IS NOT NULL OR sfdcid IS NOT NULL AND sfdctype ILIKE 'contact'
UNION ALL BY NAME
SELECT 'people' AS object, 'lead' AS source_table, id AS source_id, 'Lead' AS other_table, coalesce(sfdcleadid, sfdcid) AS other_id, 'salesforce' AS other_kind,
    'crm_merge' AS decided_by
FROM src."lead" WHERE sfdcleadid IS NOT NULL OR sfdcid IS NOT NULL AND sfdctype ILIKE 'lead'
