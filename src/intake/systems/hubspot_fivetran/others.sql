SELECT 'deal_pipeline' AS source_table, pipelineid AS source_id, NULL AS fate FROM src."deal_pipeline"
UNION ALL BY NAME SELECT 'deal_pipeline_stage' AS source_table, stageid AS source_id, NULL AS fate FROM src."deal_pipeline_stage"
UNION ALL BY NAME SELECT 'engagement' AS source_table, id AS source_id,
    CASE WHEN flag(deleted) THEN 'meaningless: deleted' END AS fate FROM src."engagement"
UNION ALL BY NAME
SELECT 'contact_merge_audit' AS source_table, concat_ws(':', canonicalvid, vidtomerge) AS source_id,
    CASE WHEN canonicalvid NOT IN (SELECT id FROM src."contact") THEN 'unplaced: contact not in the export' END AS fate
FROM src."contact_merge_audit"
UNION ALL BY NAME
SELECT 'merged_deal' AS source_table, concat_ws(':', dealid, mergeddealid) AS source_id,
    CASE WHEN dealid NOT IN (SELECT dealid FROM src."deal") THEN 'unplaced: deal not in the export' END AS fate FROM src."merged_deal"
UNION ALL BY NAME
SELECT 'deal_company' AS source_table, concat_ws(':', dealid, companyid, typeid) AS source_id,
    CASE WHEN dealid NOT IN (SELECT dealid FROM src."deal") THEN 'unplaced: deal not in the export'
         WHEN companyid NOT IN (SELECT id FROM src."company") THEN 'unplaced: company not in the export' END AS fate FROM src."deal_company"
UNION ALL BY NAME
SELECT 'contact_company' AS source_table, concat_ws(':', contactid, companyid, typeid) AS source_id,
    CASE WHEN contactid NOT IN (SELECT id FROM src."contact") AND contactid NOT IN (FROM merged_contacts) THEN 'unplaced: contact not in the export'
         WHEN companyid NOT IN (SELECT id FROM src."company") THEN 'unplaced: company not in the export' END AS fate FROM src."contact_company"
UNION ALL BY NAME
SELECT 'engagement_contact' AS source_table, concat_ws(':', engagementid, contactid) AS source_id,
    CASE WHEN contactid NOT IN (SELECT id FROM src."contact") AND contactid NOT IN (FROM merged_contacts)
        THEN 'unplaced: contact not in the export' END AS fate FROM src."engagement_contact"
UNION ALL BY NAME
SELECT 'engagement_deal' AS source_table, concat_ws(':', engagementid, dealid) AS source_id,
    CASE WHEN dealid NOT IN (SELECT dealid FROM src."deal") THEN 'unplaced: deal not in the export' END AS fate FROM src."engagement_deal"
UNION ALL BY NAME
SELECT 'engagement_company' AS source_table, concat_ws(':', engagementid, companyid) AS source_id,
    CASE WHEN companyid NOT IN (SELECT id FROM src."company") THEN 'unplaced: company not in the export' END AS fate FROM src."engagement_company"
UNION ALL BY NAME
SELECT 'contact_property_history' AS source_table, concat_ws(':', contactid, name, "timestamp", value) AS source_id,
    'meaningless: history of a contact''s property' AS fate FROM src."contact_property_history"
UNION ALL BY NAME
SELECT 'company_property_history' AS source_table, concat_ws(':', companyid, name, "timestamp", value) AS source_id,
    'meaningless: history of a company''s property' AS fate FROM src."company_property_history"
UNION ALL BY NAME
SELECT 'email_event_bounce' AS source_table, id AS source_id,
    CASE WHEN id NOT IN (SELECT id FROM src."email_event") THEN 'unplaced: event not in the export' END AS fate FROM src."email_event_bounce"
