-- Every person as a record, with the account that the record says; ids that only links know are records too.
CREATE TABLE account_by_company AS SELECT system, source_table, source_id, id FROM company_ids;
CREATE TABLE person_nodes AS
WITH placed AS (
    SELECT p.*, coalesce(c.id, t.id, h.id) AS account_id, coalesce(p.company_name, c.name) AS company_core
    FROM people_at AS p
    LEFT JOIN company_ids AS c ON NOT c.is_text AND c.system = p.system AND c.source_id = p.company_id
    LEFT JOIN company_ids AS t ON t.is_text AND NOT p.company_known AND t.system = p.system AND t.source_table = p.source_table
        AND t.source_id = company_key(p.company_name)
    LEFT JOIN company_ids AS h ON h.is_text AND NOT p.company_known AND p.company_name IS NULL AND h.system = p.system
        AND h.source_table = p.source_table AND h.source_id = coalesce(p.company_domain, p.work_host)
),
linked AS (
    SELECT system, source_table, source_id FROM staged.links WHERE object = 'people'
    UNION SELECT system, other_table, other_id FROM staged.links WHERE object = 'people' AND other_kind IS NULL
),
all_people AS (
    SELECT false AS is_alias, system, source_table, source_id, full_name, email, phone, title, department, created_at, ended_at,
        account_id, company_core, work_host AS email_host
    FROM placed
    UNION ALL BY NAME
    SELECT true AS is_alias, system, source_table, source_id FROM linked
    ANTI JOIN placed USING (system, source_table, source_id)
)
SELECT row_number() OVER (ORDER BY is_alias, system, source_table, source_id) - 1 AS node, * FROM all_people;
CREATE TABLE person_links AS
SELECT DISTINCT a.node, b.node AS other, l.decided_by
FROM staged.links AS l
JOIN person_nodes AS a ON a.system = l.system AND a.source_table = l.source_table AND a.source_id = l.source_id
JOIN person_nodes AS b ON b.source_table = l.other_table
    AND (b.source_id = l.other_id OR l.other_kind = 'salesforce' AND left(b.source_id, 15) = left(l.other_id, 15))
    AND (l.other_kind IS NULL AND b.system = l.system OR b.system IN (SELECT system FROM systems WHERE kind = l.other_kind))
WHERE l.object = 'people';
