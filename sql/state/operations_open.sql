-- Operations that may have been carried out and have no outcome, in the order in which they were sent.
SELECT key, digest, row, intent, attempts, sent_at FROM operations
WHERE scope_id = :scope_id AND state = 'sent' ORDER BY sent_at, key;
