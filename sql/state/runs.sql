-- The last runs, newest first; of one pipeline, or of all where the name is null.
SELECT runs.run_id, runs.pipeline, runs.started_at, runs.finished_at, runs.status, runs.message, runs.summary,
       scopes.mode
FROM runs JOIN scopes USING (scope_id)
WHERE :pipeline IS NULL OR runs.pipeline = :pipeline
ORDER BY runs.started_at DESC, runs.rowid DESC
LIMIT :count;
