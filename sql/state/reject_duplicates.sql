-- The losers of the staging table as rejects.
INSERT INTO rejects (run_id, row, line, kind, reason, record)
SELECT :run_id, losers.row, losers.line, 'duplicate', 'same key as row ' || losers.winner, coalesce(staged.record, original_of(staged.row))
FROM temp.losers JOIN temp.staged ON staged.row = losers.row;
