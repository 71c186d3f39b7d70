-- Plans that were kept to be applied as they are, their changes, and the runs that applied them.

-- name: add(plan_id, scope_id, made_at, made_by, expires_at, basis, counts)!
-- A plan that nobody has applied.
INSERT INTO plans (plan_id, scope_id, made_at, made_by, expires_at, basis, counts, state)
VALUES (:plan_id, :scope_id, :made_at, :made_by, :expires_at, :basis, :counts, 'saved');

-- name: add_change*!
-- One change of a plan, in the order of the columns.
INSERT INTO plan_changes (plan_id, place, key, kind, row, line, digest, outcome, change, lead_id, origin, snapshot)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: get(plan_id)^
-- One plan, with whose it is.
SELECT plans.plan_id, plans.made_at, plans.made_by, plans.expires_at, plans.basis, plans.counts, plans.state,
       plans.applied_at, plans.applied_by, scopes.pipeline, scopes.account, scopes.mode
FROM plans JOIN scopes USING (scope_id)
WHERE plans.plan_id = :plan_id;

-- name: of_pipeline(pipeline)
-- The plans of a pipeline in all its accounts and modes, one row each, the newest first.
SELECT plans.plan_id, plans.made_at, plans.made_by, plans.expires_at, plans.basis, plans.counts, plans.state,
       plans.applied_at, plans.applied_by, scopes.pipeline, scopes.account, scopes.mode
FROM plans JOIN scopes USING (scope_id)
WHERE scopes.pipeline = :pipeline
ORDER BY plans.made_at DESC, plans.plan_id DESC;

-- name: changes(plan_id, after, count)
-- The next changes of a plan, in its order, one row each.
SELECT place, key, kind, row, line, outcome, change, lead_id, origin, snapshot
FROM plan_changes
WHERE plan_id = :plan_id AND place > :after
ORDER BY place
LIMIT :count;

-- name: changes_of(plan_id, keys)
-- The changes of a plan to the leads with these keys, a JSON array. One row per lead.
SELECT key, kind, digest, change, lead_id, origin, snapshot
FROM plan_changes
WHERE plan_id = :plan_id AND key IN (SELECT value FROM json_each(:keys));

-- name: tried(plan_id, scope_id, keys)
-- Which of these leads (a JSON array of keys) a run of the plan has sent something to. One row per key.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT DISTINCT outbox.key
FROM outbox JOIN plan_runs ON plan_runs.run_id = outbox.run_id AND plan_runs.plan_id = :plan_id
WHERE outbox.scope_id = :scope_id AND outbox.state <> 'planned' AND outbox.attempts > 0
  AND outbox.key IN (SELECT value FROM json_each(:keys));

-- name: count_untried(plan_id, scope_id)$
-- How many leads of a plan no run of it has sent anything to.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT count(*) FROM plan_changes
WHERE plan_id = :plan_id
  AND NOT EXISTS (SELECT 1 FROM outbox JOIN plan_runs ON plan_runs.run_id = outbox.run_id
                  WHERE plan_runs.plan_id = plan_changes.plan_id AND outbox.scope_id = :scope_id
                    AND outbox.key = plan_changes.key AND outbox.state <> 'planned' AND outbox.attempts > 0);

-- name: begin(plan_id, now, who)!
-- From here on changes of it may be sent; no row where it was applied.
UPDATE plans SET state = 'applying', applied_at = :now, applied_by = :who
WHERE plan_id = :plan_id AND state <> 'applied';

-- name: add_run(plan_id, run_id)!
-- A run that applies it.
INSERT INTO plan_runs (plan_id, run_id) VALUES (:plan_id, :run_id);

-- name: finish(plan_id, now)!
-- All of it was sent that could be, and no call of any run of it is without an outcome.
-- `state <> 'settled'` is there for the partial index: see migration 0001.
UPDATE plans SET state = 'applied', applied_at = :now
WHERE plan_id = :plan_id AND state = 'applying'
  AND NOT EXISTS (SELECT 1 FROM outbox JOIN plan_runs ON plan_runs.run_id = outbox.run_id
                  WHERE plan_runs.plan_id = plans.plan_id AND outbox.state = 'sent' AND outbox.state <> 'settled');

-- name: drop_changes(plan_id)!
-- What a plan that was applied needs no longer.
DELETE FROM plan_changes WHERE plan_id = :plan_id;

-- name: prune(before)!
-- Plans of long ago.
DELETE FROM plans WHERE made_at < :before;
