-- How each pipeline is, as it was last told to whoever wants to know.

-- name: of(pipeline)^
-- What was last said of a pipeline.
SELECT state, since, attempts, unsent, heard FROM health WHERE pipeline = :pipeline;

-- name: keep(pipeline, state, since, attempts, unsent, heard)!
-- What is said of it now.
INSERT INTO health (pipeline, state, since, attempts, unsent, heard)
VALUES (:pipeline, :state, :since, :attempts, :unsent, :heard)
ON CONFLICT (pipeline) DO UPDATE SET
    state = excluded.state, since = excluded.since, attempts = excluded.attempts, unsent = excluded.unsent,
    heard = excluded.heard;
