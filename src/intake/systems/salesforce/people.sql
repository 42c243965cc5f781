SELECT 'Contact' AS source_table, id AS source_id, accountid AS company_id, NULL AS company_name, NULL AS company_domain,
    coalesce(name, name_of(lastname, firstname)) AS full_name, email_of(email) AS email, coalesce(mobilephone, phone) AS phone,
    title, department, moment(createddate) AS created_at,
    least(moment(emailbounceddate), CASE WHEN flag(isdeleted) AND masterrecordid IS NULL
        THEN coalesce(moment(systemmodstamp), moment(lastmodifieddate)) END) AS ended_at,
    NULL AS fate
FROM src."Contact"
UNION ALL BY NAME
SELECT 'Lead' AS source_table, id AS source_id, CASE WHEN flag(isconverted) THEN convertedaccountid END AS company_id,
    company AS company_name, host_of(website) AS company_domain,
    coalesce(name, name_of(lastname, firstname)) AS full_name, email_of(email) AS email, coalesce(mobilephone, phone) AS phone,
    title, department, moment(createddate) AS created_at,
    least(moment(emailbounceddate), CASE WHEN flag(isdeleted) AND masterrecordid IS NULL
        THEN coalesce(moment(systemmodstamp), moment(lastmodifieddate)) END) AS ended_at,
    NULL AS fate
FROM src."Lead"
