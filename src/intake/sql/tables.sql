-- The tables of the contract, and what stands beside them.
CREATE TABLE account_rows AS
WITH ranked AS (
    SELECT n.*, row_number() OVER (PARTITION BY id ORDER BY is_text,
        EXISTS (FROM company_merges AS m WHERE m.node = n.node), first_seen_at, created_at NULLS LAST, system, source_table, source_id) AS place
    FROM company_ids AS n
)
SELECT id AS account_id, coalesce(arg_min(name, place) FILTER (WHERE name IS NOT NULL), id) AS name,
    arg_min(domain, place) FILTER (WHERE domain IS NOT NULL) AS domain, arg_min(industry, place) FILTER (WHERE industry IS NOT NULL) AS industry,
    arg_min(employees, place) FILTER (WHERE employees IS NOT NULL) AS employees, arg_min(country, place) FILTER (WHERE country IS NOT NULL) AS country,
    arg_min(tier, place) FILTER (WHERE tier IS NOT NULL) AS tier
FROM ranked GROUP BY id;
CREATE TABLE contract.accounts AS SELECT * FROM account_rows;
-- A contact without a company is at the account of its deal.
CREATE TABLE contract.contacts AS
WITH by_deal AS (
    SELECT r.contact_id, arg_min(g.account_id, (r.joined, g.group_id)) AS account_id
    FROM role_rows AS r JOIN group_deals AS g ON g.group_id = r.group_id WHERE r.fate IS NULL GROUP BY ALL
)
SELECT k.contact_id, coalesce(k.account_id, b.account_id) AS account_id, k.full_name, k.email, k.phone, k.title, k.department
FROM people_known AS k LEFT JOIN by_deal AS b USING (contact_id)
WHERE NOT k.unknown AND coalesce(k.account_id, b.account_id) IS NOT NULL;
CREATE TABLE contract.buying_groups AS
SELECT group_id, any_value(account_id) AS account_id, any_value(solution_id) AS solution_id, min(created_at) AS created_at,
    arg_max(name, (created_at, source_id)) AS name, arg_max(owner, (created_at, source_id)) AS owner, arg_max(url, (created_at, source_id)) AS url
FROM group_deals GROUP BY group_id;
CREATE TABLE contract.solutions AS
SELECT DISTINCT solution_id, solution_id AS name FROM group_deals;
CREATE TABLE contract.members AS
SELECT group_id, contact_id, role, joined_at, left_at, probability, source, joined_is
FROM member_roles WHERE role NOT IN ('not_a_buyer', 'own_side');
CREATE TABLE contract.stage_events AS
SELECT DISTINCT group_id, stage, occurred_at, amount, dated AS occurred_is FROM deal_events;
CREATE TABLE contract.contents AS
SELECT concat(system, ':', content_id) AS content_id, min(title) AS title FROM staged.contents WHERE content_id IS NOT NULL GROUP BY ALL;
CREATE TABLE activity_fates AS
SELECT a.*, y.as_of, c.contact_id IS NOT NULL AS has_contact,
    CASE WHEN a.occurred_at IS NULL THEN 'unplaced: no time in the row'
         WHEN a.occurred_at >= TIMESTAMP '2200-01-01' OR a.occurred_at < TIMESTAMP '1990-01-01' THEN 'unplaced: a time that nobody means'
         WHEN a.occurred_at > y.as_of + INTERVAL 1 DAY THEN 'meaningless: planned after the export'
         WHEN c.contact_id IS NULL AND a.group_id IS NULL THEN
            CASE WHEN a.person_id IS NULL THEN 'unplaced: neither a contact nor a deal'
                 WHEN a.contact_id IS NULL THEN 'unplaced: contact not in the export' ELSE 'unplaced: contact without a company' END
    END AS fate
FROM placed_activities AS a JOIN systems AS y USING (system)
LEFT JOIN contract.contacts AS c ON c.contact_id = a.contact_id;
CREATE TABLE contract.activities AS
WITH counted AS (
    SELECT *, count(DISTINCT (person_table, person_id)) OVER (PARTITION BY system, source_table, source_id) AS people,
        row_number() OVER (PARTITION BY system, source_table, source_id, CASE WHEN has_contact THEN contact_id END
            ORDER BY deal_id NULLS LAST, person_table, person_id) AS again,
        count(DISTINCT group_id) OVER (PARTITION BY system, source_table, source_id) AS groups
    FROM activity_fates WHERE fate IS NULL
    QUALIFY has_contact OR NOT bool_or(has_contact) OVER (PARTITION BY system, source_table, source_id)
)
SELECT concat_ws(':', system, source_table, source_id, CASE WHEN people > 1 AND has_contact THEN person_id END) AS activity_id,
    CASE WHEN has_contact THEN contact_id END AS contact_id, coalesce(n.name, kind) AS kind, occurred_at,
    CASE WHEN recorded_at IS NOT NULL THEN greatest(recorded_at, occurred_at) END AS recorded_at,
    CASE WHEN groups = 1 OR NOT has_contact THEN group_id END AS group_id, CAST(NULL AS VARCHAR) AS solution_id,
    CASE WHEN concat(system, ':', content_id) IN (SELECT content_id FROM contract.contents) THEN concat(system, ':', content_id) END AS content_id,
    channel, duration_seconds
FROM counted LEFT JOIN kind_names AS n ON n.value = counted.kind
WHERE again = 1;
CREATE TABLE side.identities AS
SELECT 'accounts' AS "table", id, system, source_table, source_id, probability, decided_by, first_seen_at FROM company_ids
UNION ALL BY NAME
SELECT 'contacts' AS "table", id, system, source_table, source_id, probability, decided_by, first_seen_at FROM person_ids
WHERE id IN (SELECT contact_id FROM contract.contacts)
UNION ALL BY NAME
SELECT 'buying_groups' AS "table", group_id AS id, system, source_table, source_id, 1.0 AS probability, 'own' AS decided_by, first_seen_at
FROM group_deals;
CREATE TABLE side.roles AS SELECT group_id, contact_id, role, probability, source, value FROM member_roles;
-- What of each record that was used so far found no place after all.
CREATE TABLE late_fates AS
WITH all_fates AS (
    SELECT system, source_table, source_id, fate FROM activity_fates
    UNION ALL SELECT system, source_table, source_id, fate FROM role_rows
    UNION ALL SELECT d.system, d.source_table, d.source_id,
        CASE WHEN g.group_id IS NULL THEN CASE WHEN d.account_id IS NULL THEN 'unplaced: deal without a company' ELSE 'unplaced: no time in the row' END END
    FROM deals_placed AS d LEFT JOIN group_deals AS g USING (system, source_table, source_id)
    UNION ALL SELECT s.system, s.source_table, s.source_id,
        CASE WHEN g.group_id IS NULL THEN CASE WHEN m.deal IS NULL THEN 'unplaced: deal not in the export, or without a place'
            ELSE 'meaningless: history of a merged deal' END WHEN s.occurred_at IS NULL THEN 'unplaced: no time in the row' END
    FROM staged.deal_stages AS s LEFT JOIN group_deals AS g ON g.system = s.system AND g.source_id = s.deal_id
    LEFT JOIN merged_deals AS m ON m.system = s.system AND m.gone = s.deal_id
    UNION ALL SELECT s.system, s.source_table, s.source_id, CASE WHEN g.group_id IS NULL THEN 'unplaced: deal not in the export, or without a place' END
    FROM staged.deal_counts AS s LEFT JOIN group_deals AS g ON g.system = s.system AND g.source_id = s.deal_id
    UNION ALL SELECT p.system, p.source_table, p.source_id, CASE WHEN c.contact_id IS NULL THEN 'unplaced: contact without a company' END
    FROM person_ids AS p LEFT JOIN contract.contacts AS c ON c.contact_id = p.id WHERE NOT p.is_alias
)
SELECT system, source_table, source_id,
    CASE WHEN bool_or(fate IS NULL) THEN NULL
         ELSE coalesce(min(fate) FILTER (WHERE starts_with(fate, 'unplaced')), min(fate)) END AS fate
FROM all_fates WHERE NOT starts_with(source_id, 'first:') GROUP BY ALL;
CREATE TABLE side.unplaced AS
SELECT system, source_table, source_id, reason FROM staged.unplaced
UNION ALL BY NAME
SELECT system, source_table, source_id, substr(fate, 11) AS reason FROM late_fates WHERE starts_with(fate, 'unplaced: ');
