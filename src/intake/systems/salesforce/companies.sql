SELECT 'Account' AS source_table, id AS source_id, name, coalesce(host_of(website), website) AS domain, number, industry,
    CAST(number_of(numberofemployees) AS BIGINT) AS employees, coalesce(billingcountry, billingcountrycode) AS country, tier,
    moment(createddate) AS created_at,
    CASE WHEN flag(isdeleted) AND masterrecordid IS NULL
             AND id NOT IN (SELECT accountid FROM src."Contact" WHERE accountid IS NOT NULL)
             AND id NOT IN (SELECT accountid FROM src."Opportunity" WHERE accountid IS NOT NULL AND NOT coalesce(flag(isdeleted), false))
         THEN 'meaningless: deleted' END AS fate
FROM src."Account"
