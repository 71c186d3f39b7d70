-- Leads that a look at Kartra can be compared with, one row each: ours, with nothing under way, as they were
-- acknowledged before a time. All that nobody looked at lately, a page at a time by key.
SELECT leads.key, leads.lead_id, leads.snapshot, leads.changed_at, drift.found
FROM leads LEFT JOIN drift USING (scope_id, key)
WHERE leads.scope_id = :scope_id AND leads.removed_at IS NULL AND leads.origin <> 'skipped'
  AND leads.changed_at < :settled_before
  AND (drift.looked_at IS NULL OR drift.looked_at < :looked_before)
  AND NOT EXISTS (SELECT 1 FROM outbox
                  WHERE outbox.scope_id = leads.scope_id AND outbox.key = leads.key
                    AND outbox.state = 'sent' AND outbox.state <> 'planned')
  AND leads.key > :after
ORDER BY leads.key
LIMIT :count;
