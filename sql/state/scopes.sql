-- Whose state it is.

-- name: add(pipeline, account, mode)!
-- A scope, unless it is there.
INSERT INTO scopes (pipeline, account, mode) VALUES (:pipeline, :account, :mode) ON CONFLICT DO NOTHING;

-- name: note_file(scope_id, file)!
-- Where the pipeline is run from.
UPDATE scopes SET file = :file WHERE scope_id = :scope_id AND file IS NOT :file;

-- name: find(pipeline, account, mode)$
-- The number of a scope.
SELECT scope_id FROM scopes WHERE pipeline = :pipeline AND account = :account AND mode = :mode;
