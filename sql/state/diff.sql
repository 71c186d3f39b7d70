-- The staged leads that differ from what Kartra acknowledged, one row each, in the order of the source:
-- new ones (no snapshot), changed ones, and those that came back after they were removed.
-- New ones that were set apart are not among them. `refused` is true where this very wish was refused or parked before.
SELECT staged.row, staged.line, staged.key, staged.digest, staged.wish,
       leads.lead_id, leads.origin, leads.snapshot, leads.removed_at IS NOT NULL AS was_removed,
       refusals.digest IS NOT NULL AS refused, refusals.type AS refused_type, refusals.reason AS refused_reason
FROM temp.staged
LEFT JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
LEFT JOIN refusals ON refusals.scope_id = :scope_id AND refusals.key = staged.key
                  AND refusals.digest = staged.digest
WHERE staged.blocked IS NULL AND staged.row NOT IN (SELECT row FROM temp.new_leads)
  AND (leads.key IS NULL OR leads.digest <> staged.digest OR leads.removed_at IS NOT NULL)
  AND staged.row > :after
ORDER BY staged.row
LIMIT :count;
