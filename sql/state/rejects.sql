-- Records that did not become leads, with their reason and their original text.

-- name: add*!
-- One record that did not get through.
INSERT INTO rejects (run_id, row, line, kind, type, reason, record, key)
VALUES (:run_id, :row, :line, :kind, :type, :reason, :record, :key);

-- name: staged(row)^
-- One staged record. Its text is null where it is among the packed originals.
SELECT line, record, key FROM temp.staged WHERE row = :row;

-- name: losers()
-- The losers of the staging table, each with the row that speaks for its key.
SELECT losers.row, losers.line, losers.winner, staged.record, staged.key
FROM temp.losers JOIN temp.staged ON staged.row = losers.row ORDER BY losers.row;

-- name: blocked()
-- Staged records that may not be sent, with the reason.
SELECT row, line, blocked, record, key
FROM temp.staged WHERE blocked IS NOT NULL AND row NOT IN (SELECT row FROM temp.losers) ORDER BY row;

-- name: take_back(run_id, kept)!
-- Rejects of a run but the first so many, in the order in which they were kept.
DELETE FROM rejects WHERE rowid IN (
    SELECT rowid FROM rejects WHERE run_id = :run_id ORDER BY rowid LIMIT 9223372036854775807 OFFSET :kept);

-- name: drop_texts(pipeline)!
-- The texts of a pipeline's runs before its last ones: they are people's data, and there to be mended soon.
UPDATE rejects SET record = NULL WHERE record IS NOT NULL AND run_id IN (
    SELECT run_id FROM runs WHERE pipeline = :pipeline ORDER BY started_at DESC LIMIT 9223372036854775807 OFFSET 5);

-- name: prune(pipeline, before)!
-- Rejects of a pipeline's runs before a time. Of all runs but the last ones: records that nobody knows again, for they
-- have no key, and those that are left out on purpose, which are many and the same each night.
DELETE FROM rejects WHERE run_id IN (
    SELECT run_id FROM runs WHERE pipeline = :pipeline AND started_at < :before)
OR ((key IS NULL OR kind IN ('duplicate', 'blocked')) AND run_id IN (
    SELECT run_id FROM runs WHERE pipeline = :pipeline ORDER BY started_at DESC LIMIT 9223372036854775807 OFFSET 5));

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
