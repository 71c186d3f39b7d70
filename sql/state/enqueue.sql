-- A change of this run, not sent yet.
INSERT INTO outbox (run_id, scope_id, key, kind, row, line, digest, state)
VALUES (:run_id, :scope_id, :key, :kind, :row, :line, :digest, 'planned');
