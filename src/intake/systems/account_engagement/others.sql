SELECT 'list_membership' AS source_table, coalesce(id, concat_ws(':', listid, prospectid)) AS source_id, 'meaningless: list membership' AS fate FROM src."list_membership"
UNION ALL BY NAME SELECT 'visitor' AS source_table, id AS source_id, 'meaningless: visitor, which activities name' AS fate FROM src."visitor"
UNION ALL BY NAME SELECT 'campaign' AS source_table, id AS source_id, NULL AS fate FROM src."campaign"
