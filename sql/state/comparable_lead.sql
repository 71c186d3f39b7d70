-- The lead with a number of Kartra's, if a look at it can be compared: as in `comparable`.
SELECT leads.key, leads.lead_id, leads.snapshot, leads.changed_at, drift.found
FROM leads INDEXED BY leads_by_id LEFT JOIN drift USING (scope_id, key)
WHERE leads.scope_id = :scope_id AND leads.lead_id = :lead_id
  AND leads.removed_at IS NULL AND leads.origin <> 'skipped' AND leads.changed_at < :settled_before
  AND NOT EXISTS (SELECT 1 FROM outbox
                  WHERE outbox.scope_id = leads.scope_id AND outbox.key = leads.key
                    AND outbox.state = 'sent' AND outbox.state <> 'planned');
