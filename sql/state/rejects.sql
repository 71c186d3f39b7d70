-- The rejects of one run in the order of the source.
SELECT row, line, kind, type, reason, record FROM rejects WHERE run_id = :run_id ORDER BY row;
