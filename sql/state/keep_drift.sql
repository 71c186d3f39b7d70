-- What a look found, by key.
INSERT INTO drift (scope_id, key, looked_at, found)
SELECT :scope_id, :key, :now, :found
FROM leads WHERE scope_id = :scope_id AND key = :key
ON CONFLICT (scope_id, key) DO UPDATE SET looked_at = excluded.looked_at, found = excluded.found;
