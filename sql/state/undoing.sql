-- What a run changed, as the journal has it, and what else is known of those leads.

-- name: runs(pipeline, prefix)
-- Runs of a pipeline whose number begins like this, newest first.
SELECT run_id, scope_id, started_at, status, verb, undoes, journaled, summary
FROM runs
WHERE pipeline = :pipeline AND substr(run_id, 1, length(:prefix)) = :prefix
ORDER BY started_at DESC, rowid DESC
LIMIT 2;

-- name: last(pipeline, scope_id)^
-- The last run of a pipeline in any account and mode, or attempt at one, whether it sent something or not.
SELECT run_id, started_at FROM (
    SELECT run_id, started_at, rowid AS place FROM runs
    WHERE (pipeline = :pipeline OR scope_id = :scope_id) AND undoes IS NULL AND verb IN ('', 'retry')
    UNION ALL
    SELECT run_id, started_at, rowid FROM attempts WHERE pipeline = :pipeline
) AS work
ORDER BY started_at DESC, place DESC
LIMIT 1;

-- name: last_that_sent(scope_id)
-- The last run of a scope that changed a lead, or may have: its call has no outcome yet. Not those that take another
-- one back. One row.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT run_id, scope_id, started_at, status, verb, undoes, journaled, summary
FROM runs
WHERE scope_id = :scope_id AND undoes IS NULL
  AND EXISTS (SELECT 1 FROM outbox
              WHERE outbox.run_id = runs.run_id AND outbox.state <> 'planned'
                AND (outbox.state = 'sent' OR outbox.done IS NOT NULL))
ORDER BY started_at DESC, runs.rowid DESC
LIMIT 1;

-- name: takes_back(run_id)
-- The work that has taken a run back, newest first.
SELECT run_id, scope_id, started_at, status, verb, undoes, journaled, summary
FROM runs WHERE undoes = :run_id ORDER BY started_at DESC, rowid DESC;

-- name: open_entries(run_id)$
-- How many calls of a run have no outcome yet.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT count(*) FROM outbox WHERE run_id = :run_id AND state = 'sent' AND state <> 'planned';

-- name: gone(run_id, scope_id)$
-- How many leads a run changed that are not known any more: deleted in Kartra and found to be.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT count(*) FROM outbox
WHERE run_id = :run_id AND scope_id = :scope_id AND state = 'settled' AND state <> 'planned'
  AND (was IS NOT NULL OR made IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM leads WHERE leads.scope_id = outbox.scope_id AND leads.key = outbox.key);

-- name: fills_custom_fields(run_id)$
-- Whether a run changed a lead with custom fields.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT 1 FROM outbox JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.run_id = :run_id AND outbox.state <> 'planned'
  AND json_extract(coalesce(outbox.became, leads.snapshot), '$.custom_fields') <> '{}'
LIMIT 1;

-- name: begins_sequences(run_id)$
-- Whether a run changed a lead with sequences that we began.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT 1 FROM outbox JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.run_id = :run_id AND outbox.state <> 'planned'
  AND json_extract(coalesce(outbox.became, leads.snapshot), '$.sequences') <> '[]'
LIMIT 1;

-- name: changed(run_id, scope_id, after, count)
-- The leads that a run changed, in the order in which it planned them, each as it was and became, and as it is known
-- to be now. `entries` is how many entries the journal has of the lead.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT outbox.entry_id, outbox.key, outbox.was, outbox.was_id, outbox.made, outbox.settled_at,
       coalesce(outbox.became, leads.snapshot) AS became,
       leads.lead_id, leads.origin, leads.snapshot, leads.digest,
       (SELECT count(*) FROM outbox AS other
        WHERE other.scope_id = outbox.scope_id AND other.key = outbox.key AND other.state <> 'planned') AS entries,
       (SELECT latest.digest FROM outbox AS latest
        WHERE latest.scope_id = outbox.scope_id AND latest.key = outbox.key AND latest.state <> 'planned'
          AND latest.undoes IS NULL
        ORDER BY latest.entry_id DESC LIMIT 1) AS last_digest
FROM outbox JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.run_id = :run_id AND outbox.scope_id = :scope_id AND outbox.state = 'settled'
  AND outbox.state <> 'planned' AND (outbox.was IS NOT NULL OR outbox.made IS NOT NULL)
  AND outbox.entry_id > :after
ORDER BY outbox.entry_id
LIMIT :count;

-- name: others(scope_id, key, entry_id)
-- What else the journal has of a lead, in its order; `is_later`: after the entry.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
SELECT outbox.run_id, outbox.undoes, outbox.was, outbox.made, outbox.entry_id > :entry_id AS is_later,
       coalesce(outbox.became, leads.snapshot) AS became
FROM outbox JOIN leads ON leads.scope_id = outbox.scope_id AND leads.key = outbox.key
WHERE outbox.scope_id = :scope_id AND outbox.key = :key AND outbox.state = 'settled' AND outbox.state <> 'planned'
  AND outbox.entry_id <> :entry_id AND (outbox.was IS NOT NULL OR outbox.made IS NOT NULL)
ORDER BY outbox.entry_id;

-- name: neighbours(scope_id)
-- The other pipelines that have leads in the same account and mode, one row each.
SELECT other.scope_id, other.pipeline
FROM scopes AS mine JOIN scopes AS other
  ON other.account = mine.account AND other.mode = mine.mode AND other.scope_id <> mine.scope_id
WHERE mine.scope_id = :scope_id;

-- name: snapshot_of(scope_id, lead_id)^
-- What another pipeline knows of a lead.
SELECT lead_id, snapshot FROM leads INDEXED BY leads_by_id
WHERE scope_id = :scope_id AND lead_id = :lead_id AND removed_at IS NULL AND origin <> 'skipped';

-- name: blocked_since(run_id)
-- Who was blocked in a run after this one, as far as their rows are kept: without consent, opted out, suppressed.
SELECT DISTINCT rejects.key
FROM runs AS run
JOIN runs AS later ON later.scope_id = run.scope_id AND later.started_at > run.started_at
JOIN rejects ON rejects.run_id = later.run_id
WHERE run.run_id = :run_id AND rejects.kind = 'blocked' AND rejects.key IS NOT NULL;

-- name: enqueue*!
-- What is to be taken back from a lead, as an entry of the outbox that is not sent yet.
INSERT INTO outbox (run_id, scope_id, key, kind, digest, wish, state, undoes)
VALUES (:run_id, :scope_id, :key, 'load', :digest, :wish, 'planned', :undoes);
