-- Runs, and the lease of each pipeline.

-- name: lease(pipeline)^
-- Who holds the lease of a pipeline, dead or alive.
SELECT run_id, host, pid, process_started, taken_at, heartbeat_at, namespace, by_lock
FROM leases WHERE pipeline = :pipeline;

-- name: raise_fence(pipeline)!
-- The number of the next lease of a pipeline: it outlives them all.
INSERT INTO fences (pipeline, number) VALUES (:pipeline, 1)
ON CONFLICT (pipeline) DO UPDATE SET number = fences.number + 1;

-- name: fence(pipeline)$
-- The number of its last lease.
SELECT number FROM fences WHERE pipeline = :pipeline;

-- name: take_lease(pipeline, run_id, host, pid, process_started, now, namespace, by_lock, fence)!
-- The lease of a pipeline for this run.
INSERT INTO leases (pipeline, run_id, host, pid, process_started, taken_at, heartbeat_at, namespace, by_lock, fence)
VALUES (:pipeline, :run_id, :host, :pid, :process_started, :now, :now, :namespace, :by_lock, :fence)
ON CONFLICT (pipeline) DO UPDATE SET
    run_id = excluded.run_id, host = excluded.host, pid = excluded.pid,
    process_started = excluded.process_started, taken_at = excluded.taken_at,
    heartbeat_at = excluded.heartbeat_at, namespace = excluded.namespace, by_lock = excluded.by_lock,
    fence = excluded.fence;

-- name: beat(now, run_id)!
-- A sign of life; no row where the lease was lost to another run.
UPDATE leases SET heartbeat_at = :now WHERE run_id = :run_id;

-- name: holds_lease(run_id)$
-- Whether a run has its lease still.
SELECT count(*) FROM leases WHERE run_id = :run_id;

-- name: release_lease(run_id)!
-- The lease of a run that ends; not one that was lost to another run.
DELETE FROM leases WHERE run_id = :run_id;

-- name: leased()
-- Pipelines with a lease, one row each.
SELECT pipeline FROM leases ORDER BY pipeline;

-- name: abandon(now, pipeline)!
-- Runs of a pipeline that ended without saying so (killed, power lost): their lease is ours now.
UPDATE runs SET status = 'interrupted', message = 'ended without a word (killed?)', finished_at = :now
WHERE pipeline = :pipeline AND status = 'running';

-- name: begin(run_id, pipeline, scope_id, now, verb, undoes)!
-- A run, or other work, that has started.
INSERT INTO runs (run_id, pipeline, scope_id, started_at, status, journaled, verb, undoes)
VALUES (:run_id, :pipeline, :scope_id, :now, 'running', true, :verb, :undoes);

-- name: finish(now, status, message, summary, run_id)!
-- How a run ended.
UPDATE runs SET finished_at = :now, status = :status, message = :message, summary = :summary
WHERE run_id = :run_id;

-- name: last(pipeline, count)
-- The last runs and attempts, newest first; of one pipeline, or of all where the name is null.
SELECT run_id, pipeline, started_at, finished_at, status, message, summary, mode
FROM (
    SELECT runs.run_id, runs.pipeline, runs.started_at, runs.finished_at, runs.status, runs.message, runs.summary,
           scopes.mode, runs.rowid AS place
    FROM runs JOIN scopes USING (scope_id)
    WHERE :pipeline IS NULL OR runs.pipeline = :pipeline
    UNION ALL
    SELECT run_id, pipeline, started_at, started_at, status, message, NULL, mode, rowid
    FROM attempts
    WHERE :pipeline IS NULL OR pipeline = :pipeline
) AS work
ORDER BY started_at DESC, place DESC
LIMIT :count;

-- name: get(run_id)^
-- One run that could begin.
SELECT runs.run_id, runs.pipeline, runs.started_at, runs.finished_at, runs.status, runs.message, runs.summary,
       scopes.mode
FROM runs JOIN scopes USING (scope_id)
WHERE runs.run_id = :run_id;

-- name: attempt(run_id, pipeline, mode, now, status, message)!
-- An attempt that ended before its run could begin.
INSERT INTO attempts (run_id, pipeline, mode, started_at, status, message)
VALUES (:run_id, :pipeline, :mode, :now, :status, :message)
ON CONFLICT (run_id) DO NOTHING;

-- name: last_good(pipeline)$
-- When the last run of a pipeline ended well, or with some leads refused; null where none did.
SELECT max(finished_at) FROM runs
WHERE pipeline = :pipeline AND verb = '' AND status IN ('succeeded', 'partial');

-- name: waiting(pipeline)^
-- What waits in a pipeline, over all its scopes: entries without an outcome, leads with something unproven,
-- refused wishes; operations among them.
SELECT
    (SELECT count(*) FROM outbox JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND outbox.state = 'sent')
  + (SELECT count(*) FROM operations JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND operations.state = 'sent') AS unknown,
    (SELECT count(*) FROM leads JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND leads.unproven > 0)
  + (SELECT count(*) FROM operations JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND operations.outcome = 'parked') AS parked,
    (SELECT count(*) FROM refusals JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline)
  + (SELECT count(*) FROM operations JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND operations.outcome = 'refused') AS rejected,
    (SELECT count(*) FROM leads JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND leads.removed_at IS NULL AND leads.origin <> 'skipped') AS leads;

-- name: pipelines()
-- Pipelines of this file, one row each.
SELECT DISTINCT pipeline FROM scopes ORDER BY pipeline;
