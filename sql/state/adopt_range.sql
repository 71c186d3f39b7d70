-- The last of the next so many keys. One row; null where none is left.
SELECT max(key) AS until FROM (SELECT key FROM temp.adopting WHERE key > :after ORDER BY key LIMIT :count);
