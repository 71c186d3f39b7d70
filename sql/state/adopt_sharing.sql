-- Staged records whose address stands in an earlier record, or is that of another lead. One row per record.
INSERT OR IGNORE INTO temp.sharing
SELECT addressed.row
FROM (SELECT row, key, json_extract(wish, '$.email') AS email,
             row_number() OVER (PARTITION BY json_extract(wish, '$.email') ORDER BY row) AS place
      FROM temp.staged WHERE blocked IS NULL) AS addressed
LEFT JOIN (SELECT key, json_extract(snapshot, '$.email') AS email
           FROM leads WHERE scope_id = :scope_id) AS other
       ON other.email = addressed.email AND other.key <> addressed.key
WHERE addressed.place > 1 OR other.key IS NOT NULL;
