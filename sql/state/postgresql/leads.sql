-- Snapshots, where PostgreSQL has its own words: its index on addresses needs a function.

-- name: owner_of(scope_id, lead_id, email)$
-- The keys of leads with a number of Kartra's, or with an address while their number is not known.
SELECT key FROM leads WHERE scope_id = :scope_id AND lead_id = :lead_id
UNION ALL
SELECT key FROM leads
WHERE scope_id = :scope_id AND lead_id IS NULL AND (address_of(snapshot) COLLATE "C") = :email;

-- name: addresses(account, after, count)
-- The addresses of leads of an account whose number in Kartra nobody has seen, in any pipeline. One row each.
SELECT DISTINCT (address_of(leads.snapshot) COLLATE "C") AS email
FROM scopes JOIN leads ON leads.scope_id = scopes.scope_id
WHERE scopes.account = :account AND leads.lead_id IS NULL
  AND (address_of(leads.snapshot) COLLATE "C") > :after
ORDER BY email
LIMIT :count;
