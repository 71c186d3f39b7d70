-- What became of each lead of each run: the settled entries of the outbox, and the records that did not get that far.

-- name: of_run(run_id)
-- One row for each lead or record of a run. A record that waits for a person, or was refused, has one in the outbox
-- as well where something was tried: that one counts. `became` is null for what was never tried.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT outbox.run_id, outbox.key, outbox.row, outbox.line, outbox.kind, outbox.outcome, outbox.type, outbox.reason,
       outbox.done, outbox.settled_at AS at, outbox.was,
       CASE WHEN outbox.made IS NOT NULL OR outbox.was IS NOT NULL
            THEN coalesce(outbox.became, leads.snapshot) END AS became
FROM outbox LEFT JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.run_id = :run_id AND outbox.state = 'settled' AND outbox.state <> 'planned'
UNION ALL
SELECT rejects.run_id, rejects.key, rejects.row, rejects.line, 'record', rejects.kind, rejects.type, rejects.reason,
       NULL, runs.started_at, NULL, NULL
FROM rejects JOIN runs ON runs.run_id = rejects.run_id
WHERE rejects.run_id = :run_id
  AND NOT (rejects.kind IN ('rejected', 'parked')
           AND EXISTS (SELECT 1 FROM outbox WHERE outbox.scope_id = runs.scope_id AND outbox.key = rejects.key
                       AND outbox.run_id = rejects.run_id AND outbox.state <> 'planned'));

-- name: untouched(run_id)
-- The leads that were known before a run and that it has no row of, each as an outcome, with how many they are. They
-- were as wished already, or not among its records: which of the two, their number beside the run's counters says.
-- Known before it: not changed since; else the last entry before it did not take the lead out of the source, or the
-- first one after it found the lead with a snapshot of ours.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT run.run_id, leads.key, NULL AS row, NULL AS line, 'load' AS kind,
       CASE leads.origin WHEN 'skipped' THEN 'skipped' ELSE 'unchanged' END AS outcome,
       NULL AS type, NULL AS reason, NULL AS done, run.started_at AS at, NULL AS was, NULL AS became,
       count(*) OVER () AS leads
FROM runs AS run JOIN leads ON leads.scope_id = run.scope_id
WHERE run.run_id = :run_id AND run.verb = ''
  AND leads.key NOT IN (SELECT outbox.key FROM outbox
                        WHERE outbox.run_id = :run_id AND outbox.state <> 'planned')
  AND leads.key NOT IN (SELECT rejects.key FROM rejects
                        WHERE rejects.run_id = :run_id AND rejects.kind <> 'duplicate' AND rejects.key IS NOT NULL)
  AND CASE WHEN leads.changed_at < run.started_at
           THEN CASE WHEN leads.removed_at IS NULL OR leads.removed_at >= run.started_at THEN 1 ELSE 0 END
           ELSE coalesce(
               (SELECT CASE WHEN past.outcome = 'removed' THEN 0 ELSE 1 END
                FROM outbox AS past JOIN runs AS earlier ON earlier.run_id = past.run_id
                WHERE past.scope_id = leads.scope_id AND past.key = leads.key AND past.state <> 'planned'
                  AND past.done IS NOT NULL AND earlier.started_at < run.started_at
                ORDER BY past.entry_id DESC LIMIT 1),
               (SELECT CASE WHEN next.was IS NOT NULL AND next.made IS NULL THEN 1 ELSE 0 END
                FROM outbox AS next JOIN runs AS later ON later.run_id = next.run_id
                WHERE next.scope_id = leads.scope_id AND next.key = leads.key AND next.state <> 'planned'
                  AND later.started_at > run.started_at
                ORDER BY next.entry_id LIMIT 1),
               0) END = 1;

-- name: of_key(pipeline, key)
-- The same for one key, in all kept runs of a pipeline.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT outbox.run_id, outbox.key, outbox.row, outbox.line, outbox.kind, outbox.outcome, outbox.type, outbox.reason,
       outbox.done, outbox.settled_at AS at, outbox.was,
       CASE WHEN outbox.made IS NOT NULL OR outbox.was IS NOT NULL
            THEN coalesce(outbox.became, leads.snapshot) END AS became
FROM scopes JOIN outbox ON outbox.scope_id = scopes.scope_id
LEFT JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE scopes.pipeline = :pipeline AND outbox.key = :key AND outbox.state = 'settled' AND outbox.state <> 'planned'
UNION ALL
SELECT rejects.run_id, rejects.key, rejects.row, rejects.line, 'record', rejects.kind, rejects.type, rejects.reason,
       NULL, runs.started_at, NULL, NULL
FROM runs JOIN rejects ON rejects.run_id = runs.run_id
WHERE runs.pipeline = :pipeline AND rejects.key = :key
  AND NOT (rejects.kind IN ('rejected', 'parked')
           AND EXISTS (SELECT 1 FROM outbox WHERE outbox.scope_id = runs.scope_id AND outbox.key = rejects.key
                       AND outbox.run_id = rejects.run_id AND outbox.state <> 'planned'));

-- name: last_run(pipeline)$
-- The last run of a pipeline that read its source, or began to.
SELECT run_id FROM runs
WHERE pipeline = :pipeline AND verb IN ('', 'retry')
ORDER BY started_at DESC, rowid DESC
LIMIT 1;

-- name: runs(pipeline, prefix)
-- Runs of a pipeline, and other work on it, whose number begins like this; at most two.
SELECT run_id FROM runs
WHERE pipeline = :pipeline AND substr(run_id, 1, length(:prefix)) = :prefix
ORDER BY started_at DESC, rowid DESC
LIMIT 2;

-- name: run_before(pipeline, run_id)$
-- The last run of a pipeline that went through, before this one.
SELECT run_id FROM runs
WHERE pipeline = :pipeline AND verb = '' AND status IN ('succeeded', 'partial') AND run_id <> :run_id
  AND started_at <= (SELECT started_at FROM runs WHERE run_id = :run_id)
ORDER BY started_at DESC, rowid DESC
LIMIT 1;

-- name: known(run_id, before)$
-- How many records that are refused, invalid or held back in a run were so in the run before as well. Who has no key
-- is known by the text.
SELECT count(*) FROM rejects AS now
WHERE now.run_id = :run_id AND now.kind IN ('invalid', 'rejected', 'parked')
  AND coalesce(now.key, now.record) IN (SELECT coalesce(key, record) FROM rejects
                                        WHERE run_id = :before AND kind IN ('invalid', 'rejected', 'parked'));

-- name: history(pipeline, run_id)
-- Since when and how often the rejects of a run were rejects: one row for each who was so in another run before.
-- What was refused first and held back after that counts as one thing.
SELECT coalesce(past.key, past.record) AS who,
       CASE WHEN past.kind IN ('rejected', 'parked') THEN 'refused' ELSE past.kind END AS kind,
       min(runs.started_at) AS since, count(DISTINCT past.run_id) AS times
FROM runs JOIN rejects AS past ON past.run_id = runs.run_id
WHERE runs.pipeline = :pipeline AND runs.started_at <= (SELECT started_at FROM runs WHERE run_id = :run_id)
  AND coalesce(past.key, past.record) IN (SELECT coalesce(key, record) FROM rejects WHERE run_id = :run_id)
GROUP BY 1, 2
HAVING count(DISTINCT past.run_id) > 1;
