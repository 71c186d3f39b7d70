-- The keys that have one of the given addresses (a JSON array) in this file, in any pipeline. One row each.
SELECT key AS name FROM leads
WHERE json_extract(snapshot, '$.email') IN (SELECT value FROM json_each(:names))
UNION
SELECT key FROM outbox
WHERE json_extract(wish, '$.email') IN (SELECT value FROM json_each(:names))
   OR json_extract(change, '$.email') IN (SELECT value FROM json_each(:names));
