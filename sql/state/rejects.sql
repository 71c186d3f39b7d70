-- The next rejects of one run in the order of the source.
SELECT row, line, kind, type, reason, record, rowid AS place
FROM rejects
WHERE run_id = :run_id AND (row, rowid) > (:row, :place)
ORDER BY row, rowid
LIMIT :count;
