CREATE VIEW stage_labels AS
WITH listed AS (
    SELECT unnest(CAST(stages AS JSON[])) AS stage FROM src."deal_pipelines" WHERE json_valid(stages)
),
both_shapes AS (
    SELECT coalesce(json_extract_string(stage, '$.stageId'), json_extract_string(stage, '$.id')) AS id,
        json_extract_string(stage, '$.label') AS label, json_extract_string(stage, '$.metadata.probability') AS probability,
        json_extract_string(stage, '$.metadata.isClosed') AS closed
    FROM listed
    UNION ALL SELECT id, label, metadataprobability, metadataisclosed FROM src."pipelines_deals__stages"
)
SELECT id, any_value(label) AS label, max(CASE WHEN flag(closed) OR closed IS NULL THEN
        CASE WHEN number_of(probability) = 1 THEN 'won' WHEN number_of(probability) = 0 AND closed IS NOT NULL THEN 'lost'
             ELSE coalesce(stage_state(id), stage_state(label)) END END) AS state
FROM both_shapes WHERE id IS NOT NULL GROUP BY id;
CREATE VIEW stage_by_name AS SELECT regexp_replace(lower(id), '[^a-z0-9]+', '_', 'g') AS name, min(id) AS id FROM stage_labels GROUP BY ALL;
CREATE VIEW pairs_deal_contact AS
SELECT id AS deal_id, unnest(ids_of(contacts)) AS contact_id FROM src."deals"
UNION SELECT value, contactsid FROM src."deals__contacts"
UNION SELECT dealsid, value FROM src."contacts__deals";
CREATE VIEW pairs_deal_company AS
SELECT id AS deal_id, unnest(ids_of(companies)) AS company_id FROM src."deals"
UNION SELECT value, companiesid FROM src."deals__companies"
UNION SELECT dealsid, value FROM src."companies__deals";
CREATE VIEW contact_by_email AS
SELECT email_of(email) AS email, arg_min(id, (coalesce(flag(archived), false), moment(createdate), id)) AS id
FROM src."contacts" WHERE email_of(email) IS NOT NULL GROUP BY ALL;
