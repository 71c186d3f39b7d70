-- What became of the operation with this key, in each mode and account of a pipeline.
SELECT mode, do, target, run_id, row, state, attempts, sent_at, settled_at, outcome, type, reason, amount,
       refund_id
FROM operations JOIN scopes USING (scope_id)
WHERE pipeline = :pipeline AND key = :key ORDER BY coalesce(settled_at, sent_at);
