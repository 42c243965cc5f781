SELECT 'OpportunityStage' AS source_table, coalesce(id, apiname, masterlabel) AS source_id, NULL AS fate FROM src."OpportunityStage"
UNION ALL BY NAME
SELECT 'TaskRelation' AS source_table, coalesce(id, concat(taskid, ':', relationid)) AS source_id,
    CASE WHEN flag(isdeleted) THEN 'meaningless: deleted' WHEN NOT starts_with_person(relationid) OR flag(iswhat) THEN 'meaningless: related to no person'
         WHEN taskid NOT IN (SELECT id FROM src."Task") THEN 'unplaced: activity not in the export' END AS fate
FROM src."TaskRelation"
UNION ALL BY NAME
SELECT 'EventRelation' AS source_table, coalesce(id, concat(eventid, ':', relationid)) AS source_id,
    CASE WHEN flag(isdeleted) THEN 'meaningless: deleted' WHEN NOT starts_with_person(relationid) OR flag(iswhat) THEN 'meaningless: related to no person'
         WHEN eventid NOT IN (SELECT id FROM src."Event") THEN 'unplaced: activity not in the export' END AS fate
FROM src."EventRelation"
