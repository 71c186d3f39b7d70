-- One staged record as a reject of the given kind: Kartra refused it, or it is parked.
INSERT INTO rejects (run_id, row, line, kind, type, reason, record)
SELECT :run_id, row, line, :kind, :type, :reason, coalesce(record, original_of(row))
FROM temp.staged WHERE row = :row;
