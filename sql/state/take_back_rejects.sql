-- Rejects of a run but the first so many, in the order in which they were kept.
DELETE FROM rejects WHERE rowid IN (
    SELECT rowid FROM rejects WHERE run_id = :run_id ORDER BY rowid LIMIT -1 OFFSET :kept);
