CREATE MACRO attribute(attributes, name) AS CASE
    WHEN attributes IS NULL OR NOT json_valid(attributes) THEN NULL
    WHEN json_type(attributes) = 'ARRAY' THEN list_filter(CAST(attributes AS JSON[]),
        lambda one: lower(json_extract_string(one, '$.name')) = lower(name))[1] ->> '$.value'
    ELSE json_extract_string(attributes, concat('$."', name, '"')) END;
CREATE TABLE events AS
SELECT id, leadid, moment(activitydate) AS happened, CAST(number_of(activitytypeid) AS INTEGER) AS type,
    primaryattributevalueid AS value_id, primaryattributevalue AS value,
    coalesce(attribute(attributes, 'Role'), role) AS role, coalesce(attribute(attributes, 'Stage'), stage) AS stage,
    coalesce(attribute(attributes, 'Attribute Name'), attributename) AS changed_field,
    coalesce(attribute(attributes, 'New Value'), newvalue) AS new_value, coalesce(attribute(attributes, 'Old Value'), oldvalue) AS old_value,
    coalesce(attribute(attributes, 'New Stage'), CASE WHEN lower(coalesce(attribute(attributes, 'Attribute Name'), attributename)) LIKE '%stage%'
        THEN coalesce(attribute(attributes, 'New Value'), newvalue) END, attribute(attributes, 'Stage'), stage) AS new_stage,
    coalesce(attribute(attributes, 'New Status'), newstatus) AS new_status,
    coalesce(attribute(attributes, 'Merge IDs'), attribute(attributes, 'Merge Ids'), attribute(attributes, 'MergeIDs'), mergeids) AS merge_ids,
    coalesce(attribute(attributes, 'Opportunity ID'), attribute(attributes, 'Opportunity Id'), primaryattributevalueid) AS deal_id,
    attribute(attributes, 'Amount') AS amount
FROM src."activities";
