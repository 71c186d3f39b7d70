-- Staged records that may not be sent as rejects.
INSERT INTO rejects (run_id, row, line, kind, reason, record)
SELECT :run_id, row, line, 'blocked', blocked, coalesce(record, original_of(row))
FROM temp.staged WHERE blocked IS NOT NULL AND row NOT IN (SELECT row FROM temp.losers);
