-- The intent of one try. What the key stood for before was refused, or this is another try of the same.
INSERT INTO operations (scope_id, key, digest, run_id, row, do, target, lead, state, intent, sent_at, amount)
VALUES (:scope_id, :key, :digest, :run_id, :row, :do, :target, :lead, 'sent', :intent, :now, :amount)
ON CONFLICT (scope_id, key) DO UPDATE SET
    digest = excluded.digest, run_id = excluded.run_id, row = excluded.row, do = excluded.do,
    target = excluded.target, lead = excluded.lead, state = 'sent', intent = excluded.intent,
    sent_at = excluded.sent_at, amount = excluded.amount, attempts = operations.attempts + 1,
    settled_at = NULL, outcome = NULL, type = NULL, reason = NULL, refund_id = NULL
WHERE operations.state = 'sent' OR operations.outcome = 'refused'
RETURNING key;
