-- The addresses under which the given keys (a JSON array) stand in this file, in any pipeline. One row each.
SELECT json_extract(snapshot, '$.email') AS name FROM leads
WHERE key IN (SELECT value FROM json_each(:names))
UNION
SELECT json_extract(wish, '$.email') FROM outbox
WHERE key IN (SELECT value FROM json_each(:names)) AND json_extract(wish, '$.email') IS NOT NULL
UNION
SELECT json_extract(change, '$.email') FROM outbox
WHERE key IN (SELECT value FROM json_each(:names)) AND json_extract(change, '$.email') IS NOT NULL;
