SELECT 'deal_pipelines' AS source_table, pipelineid AS source_id, NULL AS fate FROM src."deal_pipelines"
UNION ALL BY NAME SELECT 'pipelines_deals' AS source_table, id AS source_id, NULL AS fate FROM src."pipelines_deals"
UNION ALL BY NAME SELECT 'pipelines_deals__stages' AS source_table, id AS source_id, NULL AS fate FROM src."pipelines_deals__stages"
UNION ALL BY NAME SELECT 'contacts_merged_audit' AS source_table, concat_ws(':', canonicalvid, vidtomerge) AS source_id,
    CASE WHEN canonicalvid NOT IN (SELECT id FROM src."contacts") THEN 'unplaced: contact not in the export' END AS fate FROM src."contacts_merged_audit"
UNION ALL BY NAME SELECT 'deals__companies' AS source_table, concat_ws(':', value, companiesid) AS source_id,
    CASE WHEN value NOT IN (SELECT id FROM src."deals") THEN 'unplaced: deal not in the export' END AS fate FROM src."deals__companies"
UNION ALL BY NAME SELECT 'companies__deals' AS source_table, concat_ws(':', value, dealsid) AS source_id,
    CASE WHEN dealsid NOT IN (SELECT id FROM src."deals") THEN 'unplaced: deal not in the export' END AS fate FROM src."companies__deals"
UNION ALL BY NAME SELECT 'companies__contacts' AS source_table, concat_ws(':', value, contactsid) AS source_id,
    CASE WHEN contactsid NOT IN (SELECT id FROM src."contacts") THEN 'unplaced: contact not in the export' END AS fate FROM src."companies__contacts"
UNION ALL BY NAME SELECT 'contacts__companies' AS source_table, concat_ws(':', value, companiesid) AS source_id,
    CASE WHEN value NOT IN (SELECT id FROM src."contacts") THEN 'unplaced: contact not in the export' END AS fate FROM src."contacts__companies"
UNION ALL BY NAME SELECT 'contacts_property_history' AS source_table, concat_ws(':', contactid, property, "timestamp", value) AS source_id,
    'meaningless: history of a contact''s property' AS fate FROM src."contacts_property_history"
UNION ALL BY NAME SELECT 'companies_property_history' AS source_table, concat_ws(':', companyid, property, "timestamp", value) AS source_id,
    'meaningless: history of a company''s property' AS fate FROM src."companies_property_history"
