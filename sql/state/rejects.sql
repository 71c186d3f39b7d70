-- Records that did not become leads, with their reason and their original text.

-- name: add*!
-- One record that did not get through.
INSERT INTO rejects (run_id, row, line, kind, type, reason, record, key)
VALUES (:run_id, :row, :line, :kind, :type, :reason, :record, :key);

-- name: add_staged*!
-- One staged record as a reject of the given kind: Kartra refused it, or it is parked.
INSERT INTO rejects (run_id, row, line, kind, type, reason, record, key)
SELECT :run_id, row, line, :kind, :type, :reason, coalesce(record, original_of(row)), key
FROM temp.staged WHERE row = :row;

-- name: add_losers(run_id)!
-- The losers of the staging table as rejects.
INSERT INTO rejects (run_id, row, line, kind, reason, record, key)
SELECT :run_id, losers.row, losers.line, 'duplicate', 'same key as row ' || losers.winner,
       coalesce(staged.record, original_of(staged.row)), CASE WHEN staged.record = '' THEN NULL ELSE staged.key END
FROM temp.losers JOIN temp.staged ON staged.row = losers.row;

-- name: add_blocked(run_id)!
-- Staged records that may not be sent as rejects. One with an empty text is of somebody who was forgotten: no key of
-- theirs is written down again.
INSERT INTO rejects (run_id, row, line, kind, reason, record, key)
SELECT :run_id, row, line, 'blocked', blocked, coalesce(record, original_of(row)),
       CASE WHEN record = '' THEN NULL ELSE key END
FROM temp.staged WHERE blocked IS NOT NULL AND row NOT IN (SELECT row FROM temp.losers);

-- name: take_back(run_id, kept)!
-- Rejects of a run but the first so many, in the order in which they were kept.
DELETE FROM rejects WHERE rowid IN (
    SELECT rowid FROM rejects WHERE run_id = :run_id ORDER BY rowid LIMIT -1 OFFSET :kept);

-- name: drop_texts(pipeline)!
-- The texts of a pipeline's runs before its last ones: they are people's data, and there to be mended soon.
UPDATE rejects SET record = NULL WHERE record IS NOT NULL AND run_id IN (
    SELECT run_id FROM runs WHERE pipeline = :pipeline ORDER BY started_at DESC LIMIT -1 OFFSET 5);

-- name: prune(pipeline, before)!
-- Rejects of a pipeline's runs before a time. Of all runs but the last ones: records that nobody knows again, for they
-- have no key, and those that are left out on purpose, which are many and the same each night.
DELETE FROM rejects WHERE run_id IN (
    SELECT run_id FROM runs WHERE pipeline = :pipeline AND started_at < :before)
OR ((key IS NULL OR kind IN ('duplicate', 'blocked')) AND run_id IN (
    SELECT run_id FROM runs WHERE pipeline = :pipeline ORDER BY started_at DESC LIMIT -1 OFFSET 5));

-- name: count(run_id)$
-- How many a run has up to now.
SELECT count(*) FROM rejects WHERE run_id = :run_id;

-- name: of_run(run_id, row, place, count)
-- The next rejects of one run in the order of the source.
SELECT row, line, kind, type, reason, record, key, rowid AS place
FROM rejects
WHERE run_id = :run_id AND (row, rowid) > (:row, :place)
ORDER BY row, rowid
LIMIT :count;

-- name: reasons(run_id)
-- All of a run in the order of the source, without their texts.
SELECT row, line, kind, reason FROM rejects WHERE run_id = :run_id ORDER BY row;
