-- Changes that are written down: planned, sent, settled; and the journal of what became of them.

-- name: enqueue*!
-- A change of this run, not sent yet.
INSERT INTO outbox (run_id, scope_id, key, kind, row, line, digest, state)
VALUES (:run_id, :scope_id, :key, :kind, :row, :line, :digest, 'planned');

-- name: has_staging()$
-- Whether this process has read a source: the wishes of what is planned stand in its staging table.
SELECT 1 FROM temp.sqlite_schema WHERE name = 'staged';

-- name: planned(scope_id, after, count)
-- Entries of this run that were not sent, in the order they were planned, each with the snapshot of its lead. Until
-- an intent is written the wish stands in the staging table alone: without it no run sends them.
-- `state <> 'settled'` is there for the partial index: see migration 0001.
SELECT outbox.entry_id, outbox.key, outbox.kind, outbox.row, outbox.digest, coalesce(outbox.wish, staged.wish) AS wish,
       outbox.change, outbox.attempts, outbox.sent_at, outbox.own_clock, outbox.undoes,
       leads.lead_id, leads.origin, leads.snapshot, leads.removed_at IS NOT NULL AS was_removed
FROM outbox
LEFT JOIN temp.staged ON staged.row = outbox.row
LEFT JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.scope_id = :scope_id AND outbox.state = 'planned' AND outbox.state <> 'settled'
  AND outbox.entry_id > :after
ORDER BY outbox.entry_id
LIMIT :count;

-- name: planned_of(scope_id, keys)
-- As `planned`, of the leads with these keys, a JSON array.
-- `state <> 'settled'` is there for the partial index: see migration 0001.
SELECT outbox.entry_id, outbox.key, outbox.kind, outbox.row, outbox.digest, coalesce(outbox.wish, staged.wish) AS wish,
       outbox.change, outbox.attempts, outbox.sent_at, outbox.own_clock, outbox.undoes,
       leads.lead_id, leads.origin, leads.snapshot, leads.removed_at IS NOT NULL AS was_removed
FROM outbox
LEFT JOIN temp.staged ON staged.row = outbox.row
LEFT JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.scope_id = :scope_id AND outbox.state = 'planned' AND outbox.state <> 'settled'
  AND outbox.key IN (SELECT value FROM json_each(:keys))
ORDER BY outbox.entry_id;

-- name: first_new(scope_id, after)^
-- The next entry of this run that was not sent and whose lead Kartra does not have from us.
-- `state <> 'settled'` is there for the partial index: see migration 0001.
SELECT outbox.entry_id, outbox.key, outbox.kind, outbox.row, outbox.digest, coalesce(outbox.wish, staged.wish) AS wish,
       outbox.change, outbox.attempts, outbox.sent_at, outbox.own_clock, outbox.undoes,
       NULL AS lead_id, NULL AS origin, NULL AS snapshot, 0 AS was_removed
FROM outbox
JOIN temp.staged ON staged.row = outbox.row
WHERE outbox.scope_id = :scope_id AND outbox.state = 'planned' AND outbox.state <> 'settled'
  AND outbox.kind = 'load' AND outbox.entry_id > :after
  AND NOT EXISTS (SELECT 1 FROM leads WHERE leads.scope_id = outbox.scope_id AND leads.key = outbox.key)
ORDER BY outbox.entry_id
LIMIT 1;

-- name: unsettled(scope_id, count)
-- Entries that may have been carried out and have no outcome, in the order they were planned, each with the snapshot
-- of its lead.
-- `state <> 'settled'` is there for the partial index: see migration 0001.
SELECT outbox.entry_id, outbox.key, outbox.kind, outbox.row, outbox.digest, outbox.wish,
       outbox.change, outbox.attempts, outbox.sent_at, outbox.own_clock, outbox.undoes,
       leads.lead_id, leads.origin, leads.snapshot, leads.removed_at IS NOT NULL AS was_removed
FROM outbox
LEFT JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.scope_id = :scope_id AND outbox.state = 'sent' AND outbox.state <> 'settled'
ORDER BY outbox.entry_id
LIMIT :count;

-- name: intend(wish, change, now, own_clock, entry_id, was, was_id, made)!
-- The intent: committed before its call leaves. How the lead was stays as it was before the first call, unless it
-- turned out to be another lead.
UPDATE outbox SET state = 'sent', wish = :wish, change = :change, attempts = attempts + 1, sent_at = :now,
                  own_clock = :own_clock,
                  was = CASE WHEN was IS NULL OR was_id <> :was_id THEN :was ELSE was END,
                  was_id = :was_id, made = coalesce(made, :made)
WHERE entry_id = :entry_id AND state <> 'settled';

-- name: withdraw(entry_id)!
-- The call of an intent was proven never to have been executed: the entry is owed again.
UPDATE outbox SET state = 'planned', change = NULL WHERE entry_id = :entry_id AND state = 'sent';

-- name: forget_was(entry_id)!
-- Its lead is not in Kartra: it is made anew, and was nothing before.
UPDATE outbox SET was = NULL, was_id = NULL, made = NULL WHERE entry_id = :entry_id;

-- name: settle(now, outcome, type, reason, done, entry_id)!
-- The outcome of an entry, after the snapshot of its lead. What was wished is not kept any longer; `done` says what
-- was sent, by names. A lead that is there now and was not before is one that the entry created.
UPDATE outbox SET state = 'settled', wish = NULL, change = NULL, settled_at = :now,
                  outcome = :outcome, type = :type, reason = :reason, done = :done,
                  made = CASE WHEN made IS NULL AND was IS NULL AND sent_at IS NOT NULL AND undoes IS NULL
                                   AND EXISTS (SELECT 1 FROM leads WHERE leads.scope_id = outbox.scope_id
                                               AND leads.key = outbox.key AND leads.origin = 'created')
                              THEN 'created' ELSE made END
WHERE entry_id = :entry_id;

-- name: barred_before(scope_id, key, digest, entry_id, barrier)$
-- Whether every try of a wish was refused in an earlier run by the same thing in front of Kartra.
SELECT 1 FROM outbox
WHERE scope_id = :scope_id AND key = :key AND digest = :digest AND entry_id < :entry_id
  AND state = 'settled' AND outcome = 'deferred' AND type = :barrier
LIMIT 1;

-- name: drop_planned(scope_id)!
-- What a run that died had planned and never sent.
DELETE FROM outbox WHERE scope_id = :scope_id AND state = 'planned';

-- name: prune(pipeline, before)!
-- Settled entries of a pipeline of long ago: the journal of a lead is kept for a while, not for ever.
DELETE FROM outbox
WHERE state = 'settled' AND settled_at < :before
  AND scope_id IN (SELECT scope_id FROM scopes WHERE scopes.pipeline = :pipeline);

-- name: defer(now, scope_id, run_id)!
-- What a run planned and did not send waits for the next one.
-- `state <> 'settled'` is there for the partial index: see migration 0001.
UPDATE outbox SET state = 'settled', outcome = 'deferred', wish = NULL, settled_at = :now
WHERE scope_id = :scope_id AND run_id = :run_id AND state = 'planned' AND state <> 'settled';

-- name: outcomes(run_id)
-- The outcomes of a run of which nothing is planned any more, counted: one row per kind of entry and outcome.
SELECT kind, coalesce(outcome, 'deferred') AS outcome, count(*) AS entries
FROM outbox
WHERE run_id = :run_id AND state <> 'planned' AND coalesce(outcome, '') <> 'recovered'
GROUP BY 1, 2;

-- name: is_unknown(scope_id, key)$
-- Whether a call for a lead has no outcome yet.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT 1 FROM outbox
WHERE scope_id = :scope_id AND key = :key AND state = 'sent' AND state <> 'planned'
LIMIT 1;

-- name: journal(pipeline, key)
-- What was done with one key of a pipeline, newest first.
SELECT outbox.run_id, outbox.kind, outbox.state, outbox.attempts, outbox.sent_at, outbox.settled_at,
       outbox.outcome, outbox.type, outbox.reason, outbox.done, scopes.mode
FROM outbox JOIN scopes USING (scope_id)
WHERE scopes.pipeline = :pipeline AND outbox.key = :key AND outbox.state <> 'planned'
ORDER BY outbox.entry_id DESC
LIMIT 20;
