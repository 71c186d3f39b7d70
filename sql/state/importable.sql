-- Leads that may go into a file for Kartra's own import, a page at a time in the order of the source: those
-- Kartra does not have and, where all are wanted, those it has from us.
SELECT staged.row, staged.key, staged.digest, staged.wish, adopting.standing, leads.snapshot,
       refusals.reason AS refused
FROM temp.staged JOIN temp.adopting ON adopting.key = staged.key
LEFT JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
LEFT JOIN refusals ON refusals.scope_id = :scope_id AND refusals.key = staged.key
                  AND refusals.digest = staged.digest
WHERE staged.blocked IS NULL AND staged.row > :after
  AND (adopting.standing NOT IN ('known', 'changed') OR (:everything AND leads.origin <> 'skipped'))
ORDER BY staged.row
LIMIT :count;
