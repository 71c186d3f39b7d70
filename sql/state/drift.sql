-- What looks at leads in Kartra found that we did not put there.

-- name: comparable(scope_id, settled_before, looked_before, latest, after, count)
-- Leads that a look at Kartra can be compared with, one row each: ours, with nothing under way, as they were
-- acknowledged before a time. All that nobody looked at lately, a page at a time by key. A time later than now was
-- written by a clock that was wrong, and counts as long ago.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT leads.key, leads.lead_id, leads.origin, leads.snapshot, leads.changed_at, drift.found
FROM leads LEFT JOIN drift USING (scope_id, key)
WHERE leads.scope_id = :scope_id AND leads.removed_at IS NULL AND leads.origin <> 'skipped'
  AND (leads.changed_at < :settled_before OR leads.changed_at > :latest)
  AND (drift.looked_at IS NULL OR drift.looked_at < :looked_before OR drift.looked_at > :latest)
  AND NOT EXISTS (SELECT 1 FROM outbox
                  WHERE outbox.scope_id = leads.scope_id AND outbox.key = leads.key
                    AND outbox.state = 'sent' AND outbox.state <> 'planned')
  AND leads.key > :after
ORDER BY leads.key
LIMIT :count;

-- name: comparable_lead(scope_id, lead_id, settled_before, latest)
-- The lead with a number of Kartra's, if a look at it can be compared: as in `comparable`.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT leads.key, leads.lead_id, leads.origin, leads.snapshot, leads.changed_at, drift.found
FROM leads INDEXED BY leads_by_id LEFT JOIN drift USING (scope_id, key)
WHERE leads.scope_id = :scope_id AND leads.lead_id = :lead_id
  AND leads.removed_at IS NULL AND leads.origin <> 'skipped'
  AND (leads.changed_at < :settled_before OR leads.changed_at > :latest)
  AND NOT EXISTS (SELECT 1 FROM outbox
                  WHERE outbox.scope_id = leads.scope_id AND outbox.key = leads.key
                    AND outbox.state = 'sent' AND outbox.state <> 'planned');

-- name: take(snapshot, scope_id, key, changed_at)!
-- A snapshot after a look, with which the wish is owed anew; nothing if the lead was changed since.
UPDATE leads SET snapshot = :snapshot, digest = x''
WHERE scope_id = :scope_id AND key = :key AND changed_at = :changed_at;

-- name: keep(scope_id, key, now, found)!
-- What a look found, by key.
INSERT INTO drift (scope_id, key, looked_at, found)
SELECT :scope_id, :key, :now, :found
FROM leads WHERE scope_id = :scope_id AND key = :key
ON CONFLICT (scope_id, key) DO UPDATE SET looked_at = excluded.looked_at, found = excluded.found;

-- name: found(scope_id)
-- Leads that differ from what was acknowledged, one row each.
SELECT key, lead_id, looked_at, found FROM drift JOIN leads USING (scope_id, key)
WHERE scope_id = :scope_id AND found <> '[]' AND removed_at IS NULL ORDER BY key;
