SELECT 'companies' AS source_table, id AS source_id, name, host_of(coalesce(domain, website)) AS domain, number, industry,
    CAST(number_of(numberofemployees) AS BIGINT) AS employees, country, hsidealcustomerprofile AS tier, moment(createdate) AS created_at,
    CASE WHEN flag(archived) AND id NOT IN (SELECT company_id FROM pairs_deal_company) THEN 'meaningless: deleted' END AS fate
FROM src."companies"
