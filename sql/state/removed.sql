-- Leads we gave something to whose contact has gone from the source, one row each, a page at a time by key.
-- Not those with a record that cannot be used but tells its key, and not those whose removal Kartra
-- refused before: an empty digest is that of a removal. Where known records were not staged, those are not
-- gone whose hash came again.
SELECT leads.key, leads.lead_id, leads.origin, leads.snapshot
FROM leads
WHERE leads.scope_id = :scope_id AND leads.key > :after AND leads.removed_at IS NULL AND leads.origin <> 'skipped'
  AND NOT (:has_known AND EXISTS (SELECT 1 FROM raw_hashes
           WHERE raw_hashes.scope_id = leads.scope_id AND raw_hashes.key = leads.key
             AND NOT EXISTS (SELECT 1 FROM temp.unseen WHERE unseen.raw = raw_hashes.raw)))
  AND NOT EXISTS (SELECT 1 FROM temp.staged WHERE staged.key = leads.key)
  AND NOT EXISTS (SELECT 1 FROM temp.present WHERE present.key = leads.key)
  AND NOT EXISTS (SELECT 1 FROM refusals WHERE refusals.scope_id = leads.scope_id
                  AND refusals.key = leads.key AND refusals.digest = x'')
ORDER BY leads.key
LIMIT :count;
