-- The hashes kept for keys that are suppressed addresses, one row each.
SELECT raw_hashes.raw
FROM temp.suppressed
CROSS JOIN raw_hashes ON raw_hashes.scope_id = :scope_id AND raw_hashes.key = suppressed.address;
