SELECT 'Contact' AS source_table, id AS source_id, ids_of(companyids)[1] AS company_id,
    coalesce(company, companynames) AS company_name, host_of(website) AS company_domain,
    coalesce(fullname, CASE WHEN regexp_matches(concat(lastname, firstname), '[一-龠ぁ-んァ-ヶ]')
        THEN concat_ws(' ', lastname, firstname) ELSE concat_ws(' ', firstname, lastname) END) AS full_name,
    email_of(email) AS email, coalesce(mobilephone, phone) AS phone, jobtitle AS title, department,
    moment(createdate) AS created_at, NULL AS ended_at, NULL AS fate
FROM src."Contact"
