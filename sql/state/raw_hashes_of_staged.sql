-- The hashes kept for keys that stand in the staging table, one row each.
SELECT raw_hashes.raw
FROM temp.staged CROSS JOIN raw_hashes ON raw_hashes.scope_id = :scope_id AND raw_hashes.key = staged.key;
