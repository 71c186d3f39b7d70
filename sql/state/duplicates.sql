-- Every staged record but the one that speaks for its key: the highest rank, then the highest row.
-- One row per loser, with the row that won, in the order of the source: their texts are unpacked by the chunk.
CREATE TEMP TABLE losers AS
SELECT row, line, winner FROM (
    SELECT row, line,
           row_number() OVER place AS position,
           first_value(row) OVER place AS winner
    FROM temp.staged
    WHERE key IN (SELECT key FROM temp.staged GROUP BY key HAVING count(*) > 1)
    WINDOW place AS (PARTITION BY key ORDER BY rank DESC, row DESC)
)
WHERE position > 1
ORDER BY row;
