-- The records of keys that stand in the source more than once, in the order of key and row.
SELECT staged.key, staged.row, staged.wish, staged.blocked
FROM temp.staged
WHERE staged.key IN (SELECT winner.key FROM temp.staged AS winner
                     WHERE winner.row IN (SELECT losers.winner FROM temp.losers))
ORDER BY staged.key, staged.row;
