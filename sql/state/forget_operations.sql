-- Every operation with one of the given keys (a JSON array), in every pipeline. One row for each that went.
DELETE FROM operations WHERE key IN (SELECT value FROM json_each(:names))
RETURNING scope_id;
