-- Records that did not become leads, with their reason and their original text.

-- name: add*!
-- One record that did not get through.
INSERT INTO rejects (run_id, row, line, kind, type, reason, record)
VALUES (:run_id, :row, :line, :kind, :type, :reason, :record);

-- name: add_staged*!
-- One staged record as a reject of the given kind: Kartra refused it, or it is parked.
INSERT INTO rejects (run_id, row, line, kind, type, reason, record)
SELECT :run_id, row, line, :kind, :type, :reason, coalesce(record, original_of(row))
FROM temp.staged WHERE row = :row;

-- name: add_losers(run_id)!
-- The losers of the staging table as rejects.
INSERT INTO rejects (run_id, row, line, kind, reason, record)
SELECT :run_id, losers.row, losers.line, 'duplicate', 'same key as row ' || losers.winner, coalesce(staged.record, original_of(staged.row))
FROM temp.losers JOIN temp.staged ON staged.row = losers.row;

-- name: add_blocked(run_id)!
-- Staged records that may not be sent as rejects.
INSERT INTO rejects (run_id, row, line, kind, reason, record)
SELECT :run_id, row, line, 'blocked', blocked, coalesce(record, original_of(row))
FROM temp.staged WHERE blocked IS NOT NULL AND row NOT IN (SELECT row FROM temp.losers);

-- name: take_back(run_id, kept)!
-- Rejects of a run but the first so many, in the order in which they were kept.
DELETE FROM rejects WHERE rowid IN (
    SELECT rowid FROM rejects WHERE run_id = :run_id ORDER BY rowid LIMIT -1 OFFSET :kept);

-- name: prune(pipeline)!
-- Rejects of a pipeline's runs before its last ones: they hold people's data.
DELETE FROM rejects WHERE run_id IN (
    SELECT run_id FROM runs WHERE pipeline = :pipeline ORDER BY started_at DESC LIMIT -1 OFFSET 5);

-- name: count(run_id)$
-- How many a run has up to now.
SELECT count(*) FROM rejects WHERE run_id = :run_id;

-- name: of_run(run_id, row, place, count)
-- The next rejects of one run in the order of the source.
SELECT row, line, kind, type, reason, record, rowid AS place
FROM rejects
WHERE run_id = :run_id AND (row, rowid) > (:row, :place)
ORDER BY row, rowid
LIMIT :count;

-- name: reasons(run_id)
-- All of a run in the order of the source, without their texts.
SELECT row, line, kind, reason FROM rejects WHERE run_id = :run_id ORDER BY row;
