-- Leads that were taken over and never sent to, a page at a time by key, with their row in the source.
SELECT leads.key, adopting.row
FROM leads LEFT JOIN temp.adopting ON adopting.key = leads.key
WHERE leads.scope_id = :scope_id AND leads.taken_over = 1 AND leads.removed_at IS NULL AND leads.key > :after
ORDER BY leads.key
LIMIT :count;
