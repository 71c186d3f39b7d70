-- Everything of the given keys (a JSON array) in this table, in every pipeline. One row for each that went.
DELETE FROM imports WHERE key IN (SELECT value FROM json_each(:names))
RETURNING scope_id;
