SELECT 'prospect_account' AS source_table, id AS source_id, name, host_of(website) AS domain, NULL AS number, industry,
    CAST(number_of(coalesce(employees, numberofemployees)) AS BIGINT) AS employees, billingcountry AS country, NULL AS tier, moment(createdat) AS created_at, NULL AS fate
FROM src."prospect_account"
