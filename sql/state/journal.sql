-- What was done with one key of a pipeline, newest first.
SELECT outbox.run_id, outbox.kind, outbox.state, outbox.attempts, outbox.sent_at, outbox.settled_at,
       outbox.outcome, outbox.type, outbox.reason, outbox.done, scopes.mode
FROM outbox JOIN scopes USING (scope_id)
WHERE scopes.pipeline = :pipeline AND outbox.key = :key AND outbox.state <> 'planned'
ORDER BY outbox.entry_id DESC
LIMIT 20;
