SELECT 'Company' AS source_table, id AS source_id, name, host_of(coalesce(domain, website)) AS domain, number, industry,
    CAST(number_of(employees) AS BIGINT) AS employees, country, tier, moment(createdate) AS created_at, NULL AS fate
FROM src."Company"
