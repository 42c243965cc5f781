-- Every company as a record: those of the systems, and those that stand as text at a person.
CREATE MACRO company_key(x) AS lower(regexp_replace(trim(x), '\s+', ' ', 'g'));
CREATE TABLE people_at AS
SELECT p.*, email_host(p.email) AS host,
    CASE WHEN email_host(p.email) NOT IN (FROM free_hosts) AND email_host(p.email) NOT IN (FROM own_hosts)
         THEN email_host(p.email) END AS work_host,
    c.source_id IS NOT NULL AS company_known
FROM staged.people AS p LEFT JOIN staged.companies AS c ON c.system = p.system AND c.source_id = p.company_id;
CREATE TABLE company_nodes AS
WITH texts AS (
    SELECT system, source_table, company_key(company_name) AS source_id, min(company_name) AS name,
        coalesce(min(company_domain), CASE WHEN count(DISTINCT work_host) = 1 THEN min(work_host) END) AS domain,
        min(created_at) AS created_at
    FROM people_at WHERE NOT company_known AND company_name IS NOT NULL GROUP BY ALL
    UNION ALL BY NAME
    SELECT system, source_table, coalesce(company_domain, work_host) AS source_id, coalesce(company_domain, work_host) AS name,
        coalesce(company_domain, work_host) AS domain, min(created_at) AS created_at
    FROM people_at WHERE NOT company_known AND company_name IS NULL AND coalesce(company_domain, work_host) IS NOT NULL
    GROUP BY ALL
)
SELECT row_number() OVER (ORDER BY is_text, system, source_table, source_id) - 1 AS node, * FROM (
    SELECT false AS is_text, system, source_table, source_id, name, domain, number, industry, employees, country, tier, created_at
    FROM staged.companies
    UNION ALL BY NAME
    SELECT true AS is_text, * FROM texts
);
CREATE TABLE company_merges AS
SELECT a.node, b.node AS other
FROM staged.links AS l
JOIN company_nodes AS a ON a.system = l.system AND a.source_table = l.source_table AND a.source_id = l.source_id AND NOT a.is_text
JOIN company_nodes AS b ON b.system = l.system AND b.source_table = l.other_table AND b.source_id = l.other_id AND NOT b.is_text
WHERE l.object = 'companies';
