-- One-off operations: one row per key, for good.

-- name: recorded(scope_id, keys)
-- What became of the operations with these keys (a JSON array), one row per key.
SELECT key, digest, run_id, "do", target, state, attempts, sent_at, settled_at, outcome, type, reason, amount,
       refund_id
FROM operations WHERE scope_id = :scope_id AND key IN (SELECT value FROM json_each(:keys));

-- name: recorded_elsewhere(scope_id, keys)
-- What was done, or may have been, under these keys for other pipelines, accounts or modes of this file.
SELECT key, digest, run_id, "do", target, state, attempts, sent_at, settled_at, outcome, type, reason, amount,
       refund_id
FROM operations
WHERE scope_id <> :scope_id AND key IN (SELECT value FROM json_each(:keys))
  AND (outcome IS NULL OR outcome IN ('done', 'already done', 'parked'));

-- name: unsettled(scope_id)
-- Operations that may have been carried out and have no outcome, in the order in which they were sent.
SELECT key, digest, row, intent, attempts, sent_at FROM operations
WHERE scope_id = :scope_id AND state = 'sent' ORDER BY sent_at, key;

-- name: held(scope_id)
-- What the operations act on that are parked or have no outcome: nothing else is done to it meanwhile.
SELECT DISTINCT lead, target FROM operations
WHERE scope_id = :scope_id AND (state = 'sent' OR outcome = 'parked');

-- name: claimed(refund_ids, scope_id)
-- Which of the given refunds of Kartra's (a JSON array) belong to an operation of the same account.
SELECT refund_id FROM operations JOIN scopes USING (scope_id)
WHERE refund_id IN (SELECT value FROM json_each(:refund_ids))
  AND account = (SELECT account FROM scopes WHERE scope_id = :scope_id);

-- name: intend(scope_id, key, digest, run_id, row, do, target, lead, intent, now, amount)!
-- The intent of one try, if the key has no outcome. What it stood for before was refused, or this is another try of
-- the same.
INSERT INTO operations (scope_id, key, digest, run_id, row, "do", target, lead, state, intent, sent_at, amount)
VALUES (:scope_id, :key, :digest, :run_id, :row, :do, :target, :lead, 'sent', :intent, :now, :amount)
ON CONFLICT (scope_id, key) DO UPDATE SET
    digest = excluded.digest, run_id = excluded.run_id, row = excluded.row, "do" = excluded."do",
    target = excluded.target, lead = excluded.lead, state = 'sent', intent = excluded.intent,
    sent_at = excluded.sent_at, amount = excluded.amount, attempts = operations.attempts + 1,
    settled_at = NULL, outcome = NULL, type = NULL, reason = NULL, refund_id = NULL
WHERE operations.state = 'sent' OR operations.outcome = 'refused';

-- name: withdraw(scope_id, key)!
-- A try that was proven never to have been carried out: the key is as if nobody had asked.
DELETE FROM operations WHERE scope_id = :scope_id AND key = :key AND state = 'sent';

-- name: settle(scope_id, key, digest, run_id, row, do, target, lead, now, outcome, type, reason, amount, refund_id)!
-- The outcome of an operation that was sent, or was refused before it was. How it was before is not kept.
INSERT INTO operations (scope_id, key, digest, run_id, row, "do", target, lead, state, attempts, settled_at,
                        outcome, type, reason, amount, refund_id)
VALUES (:scope_id, :key, :digest, :run_id, :row, :do, :target, :lead, 'settled', 0, :now,
        :outcome, :type, :reason, :amount, :refund_id)
ON CONFLICT (scope_id, key) DO UPDATE SET
    digest = excluded.digest, state = 'settled', intent = NULL, settled_at = excluded.settled_at,
    run_id = excluded.run_id, outcome = excluded.outcome, type = excluded.type, reason = excluded.reason,
    amount = excluded.amount, refund_id = excluded.refund_id
WHERE operations.state = 'sent' OR operations.outcome = 'refused';

-- name: parked(pipeline)
-- Operations of a pipeline that nothing is done about until somebody acts, oldest first: those that may have
-- been carried out (`unproven`), and those that were refused (`refused`).
SELECT key, mode, row, "do" AS operation, target, amount, type, reason, settled_at AS since,
       CASE outcome WHEN 'parked' THEN 'unproven' ELSE 'refused' END AS kind
FROM operations JOIN scopes USING (scope_id)
WHERE pipeline = :pipeline AND outcome IN ('parked', 'refused')
ORDER BY settled_at, key;

-- name: left_elsewhere(scope_id, key)
-- What is open or parked under a key in Test mode or another account of this pipeline: no run looks at it
-- there. A word said in Test mode does not reach what was done in Live.
SELECT key, digest, run_id, "do", target, state, attempts, sent_at, settled_at, outcome, type, reason, amount,
       refund_id
FROM operations
WHERE key = :key AND scope_id <> :scope_id AND (outcome IS NULL OR outcome = 'parked')
  AND scope_id IN (SELECT others.scope_id FROM scopes AS own JOIN scopes AS others USING (pipeline)
                   WHERE own.scope_id = :scope_id AND others.mode IN (own.mode, 'test'));

-- name: resolve(now, scope_id, key)!
-- A person's word that an operation was carried out that is parked, or open where no run looks at it any more.
UPDATE operations SET state = 'settled', outcome = 'done', settled_at = :now, reason = 'by a person''s word'
WHERE key = :key AND (
    (scope_id = :scope_id AND outcome = 'parked')
    OR (scope_id <> :scope_id AND (outcome IS NULL OR outcome = 'parked')
        AND scope_id IN (SELECT others.scope_id FROM scopes AS own JOIN scopes AS others USING (pipeline)
                         WHERE own.scope_id = :scope_id AND others.mode IN (own.mode, 'test')))
);

-- name: release(scope_id, key)!
-- What is parked or was refused may be sent again; and what is open where no run looks at it any more.
DELETE FROM operations
WHERE key = :key AND (
    (scope_id = :scope_id AND outcome IN ('parked', 'refused'))
    OR (scope_id <> :scope_id AND (outcome IS NULL OR outcome = 'parked')
        AND scope_id IN (SELECT others.scope_id FROM scopes AS own JOIN scopes AS others USING (pipeline)
                         WHERE own.scope_id = :scope_id AND others.mode IN (own.mode, 'test')))
);

-- name: counts(pipeline)
-- How the operations of a pipeline stand, one row per operation and outcome; those without one are unknown.
SELECT "do", coalesce(outcome, 'unknown') AS outcome, count(*) AS operations
FROM operations JOIN scopes USING (scope_id)
WHERE pipeline = :pipeline GROUP BY 1, 2 ORDER BY 1, 2;

-- name: journal(pipeline, key)
-- What became of the operation with this key, in each mode and account of a pipeline.
SELECT mode, "do" AS operation, target, run_id, row, state, attempts, sent_at, settled_at, outcome, type, reason,
       amount, refund_id
FROM operations JOIN scopes USING (scope_id)
WHERE pipeline = :pipeline AND key = :key ORDER BY coalesce(settled_at, sent_at);

-- name: keep_barred(scope_id, key, digest, barrier, run_id)!
-- Every try of an operation in a run was refused by the same thing in front of Kartra.
INSERT INTO barred_operations (scope_id, key, digest, barrier, run_id)
VALUES (:scope_id, :key, :digest, :barrier, :run_id)
ON CONFLICT (scope_id, key) DO UPDATE SET
    digest = excluded.digest, barrier = excluded.barrier, run_id = excluded.run_id;

-- name: barred_before(scope_id, key, digest, run_id)$
-- What refused every try of just this operation in an earlier run.
SELECT barrier FROM barred_operations
WHERE scope_id = :scope_id AND key = :key AND digest = :digest AND run_id <> :run_id;

-- name: drop_barred(scope_id, key)!
-- It has come to an end.
DELETE FROM barred_operations WHERE scope_id = :scope_id AND key = :key;
