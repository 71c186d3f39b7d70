-- Entries that may have been carried out and have no outcome, in the order they were planned, each with the snapshot
-- of its lead.
SELECT outbox.entry_id, outbox.key, outbox.kind, outbox.row, outbox.digest, outbox.wish,
       outbox.change, outbox.attempts, outbox.sent_at,
       leads.lead_id, leads.origin, leads.snapshot
FROM outbox
LEFT JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.scope_id = :scope_id AND outbox.state = 'sent' AND outbox.state <> 'settled'
ORDER BY outbox.entry_id
LIMIT :count;
