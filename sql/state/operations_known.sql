-- What is known of the operations with these keys (a JSON array), one row per key.
SELECT key, digest, run_id, do, target, state, attempts, sent_at, settled_at, outcome, type, reason, amount,
       refund_id
FROM operations WHERE scope_id = :scope_id AND key IN (SELECT value FROM json_each(:keys));
