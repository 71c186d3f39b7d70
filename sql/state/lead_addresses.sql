-- The addresses of leads of an account whose number in Kartra nobody has seen, in any pipeline. One row each.
SELECT DISTINCT json_extract(leads.snapshot, '$.email') AS email
FROM scopes JOIN leads INDEXED BY leads_by_address ON leads.scope_id = scopes.scope_id
WHERE scopes.account = :account AND leads.lead_id IS NULL
  AND json_extract(leads.snapshot, '$.email') > :after
ORDER BY email
LIMIT :count;
