SELECT 'Contact' AS source_table, id AS source_id, ids_of(companyids)[1] AS company_id,
    coalesce(company, companynames) AS company_name, host_of(website) AS company_domain,
    coalesce(fullname, name_of(lastname, firstname)) AS full_name,
    email_of(email) AS email, coalesce(mobilephone, phone) AS phone, jobtitle AS title, department,
    moment(createdate) AS created_at, NULL AS ended_at, NULL AS fate
FROM src."Contact"
