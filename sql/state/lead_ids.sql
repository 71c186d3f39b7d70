-- Kartra's numbers of all leads that this file knows in an account, in any pipeline and mode. One row each.
SELECT DISTINCT leads.lead_id
FROM leads JOIN scopes USING (scope_id)
WHERE scopes.account = :account AND leads.lead_id IS NOT NULL AND leads.lead_id > :after
ORDER BY leads.lead_id
LIMIT :count;
