-- The outcome of an operation that was sent, or was refused before it was. How it was before is not kept.
INSERT INTO operations (scope_id, key, digest, run_id, row, do, target, lead, state, attempts, settled_at,
                        outcome, type, reason, amount, refund_id)
VALUES (:scope_id, :key, :digest, :run_id, :row, :do, :target, :lead, 'settled', 0, :now,
        :outcome, :type, :reason, :amount, :refund_id)
ON CONFLICT (scope_id, key) DO UPDATE SET
    digest = excluded.digest, state = 'settled', intent = NULL, settled_at = excluded.settled_at,
    run_id = excluded.run_id, outcome = excluded.outcome, type = excluded.type, reason = excluded.reason,
    amount = excluded.amount, refund_id = excluded.refund_id
WHERE operations.state = 'sent' OR operations.outcome = 'refused';
