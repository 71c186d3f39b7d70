-- Entries of this run that were not sent, in the order they were planned, each with the snapshot of its lead. Until
-- an intent is written the wish stands in the staging table alone: without it no run sends them.
SELECT outbox.entry_id, outbox.key, outbox.kind, outbox.row, outbox.digest, coalesce(outbox.wish, staged.wish) AS wish,
       outbox.change, outbox.attempts, outbox.sent_at,
       leads.lead_id, leads.origin, leads.snapshot
FROM outbox
LEFT JOIN temp.staged ON staged.row = outbox.row
LEFT JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.scope_id = :scope_id AND outbox.state = 'planned' AND outbox.state <> 'settled'
  AND outbox.entry_id > :after
ORDER BY outbox.entry_id
LIMIT :count;
