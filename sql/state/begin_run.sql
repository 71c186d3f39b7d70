-- A run that has started.
INSERT INTO runs (run_id, pipeline, scope_id, started_at, status)
VALUES (:run_id, :pipeline, :scope_id, :now, 'running');
