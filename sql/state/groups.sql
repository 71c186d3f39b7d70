-- The records of the next keys that stand in the source more than once, in the order of key and row.
SELECT key, row, wish, blocked
FROM temp.staged
WHERE key IN (SELECT key FROM temp.staged
              WHERE key > :after
              GROUP BY key HAVING count(*) > 1
              ORDER BY key
              LIMIT :count)
ORDER BY key, row;
