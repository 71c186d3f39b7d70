-- Open entries of a scope in the order they were planned, each with the snapshot of its lead.
SELECT outbox.entry_id, outbox.key, outbox.kind, outbox.row, outbox.digest, outbox.wish, outbox.state,
       outbox.change, outbox.attempts, outbox.sent_at,
       leads.lead_id, leads.origin, leads.snapshot
FROM outbox
LEFT JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.scope_id = :scope_id AND outbox.state = :state AND outbox.state <> 'settled' AND outbox.entry_id > :after
ORDER BY outbox.entry_id
LIMIT :count;
