-- Staged records whose address is that of another lead or stands in an earlier record. One row per record.
INSERT INTO temp.sharing
SELECT row FROM (
    SELECT row, key, first_value(key) OVER (PARTITION BY email ORDER BY row, key) AS owner
    FROM (SELECT 0 AS row, key, json_extract(snapshot, '$.email') AS email FROM leads WHERE scope_id = :scope_id
          UNION ALL
          SELECT row, key, json_extract(wish, '$.email') FROM temp.staged WHERE blocked IS NULL))
WHERE row > 0 AND owner <> key;
