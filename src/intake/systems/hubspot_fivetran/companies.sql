SELECT 'company' AS source_table, id AS source_id, name, host_of(coalesce(domain, website)) AS domain, number, industry,
    CAST(number_of(numberofemployees) AS BIGINT) AS employees, country, hsidealcustomerprofile AS tier, moment(createdate) AS created_at,
    CASE WHEN flag(deleted) AND id NOT IN (SELECT companyid FROM src."deal_company" WHERE companyid IS NOT NULL)
        AND id NOT IN (SELECT associatedcompanyid FROM src."contact" WHERE associatedcompanyid IS NOT NULL)
        THEN 'meaningless: deleted' END AS fate
FROM src."company"
