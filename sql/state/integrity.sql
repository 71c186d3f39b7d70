-- Whether what stands in the state can be used.

-- name: misfits()
-- What no run leaves behind, counted: one row per kind that there is.
SELECT what, count(*) AS found FROM (
    SELECT 'leads with a digest of a wrong length' AS what FROM leads WHERE length(digest) NOT IN (0, 16)
    UNION ALL
    SELECT 'records with a hash of a wrong length' FROM raw_hashes WHERE length(raw) <> 16
    UNION ALL
    SELECT 'refusals with a digest of a wrong length' FROM refusals WHERE length(digest) NOT IN (0, 16)
    UNION ALL
    SELECT 'journal entries with a digest of a wrong length' FROM outbox WHERE length(digest) NOT IN (0, 16)
    UNION ALL
    SELECT 'leads for an import with a digest of a wrong length' FROM imports WHERE length(digest) <> 16
    UNION ALL
    SELECT 'forgotten people with a hash of a wrong length' FROM forgotten WHERE length(hash) <> 16
    UNION ALL
    SELECT 'settled journal entries without an outcome' FROM outbox
    WHERE state = 'settled' AND outcome IS NULL
    UNION ALL
    SELECT 'forgotten people without the salt of their hashes' FROM forgotten
    WHERE NOT EXISTS (SELECT 1 FROM forgotten_salt)
) AS misfits
GROUP BY what
ORDER BY what;

-- name: snapshots()
-- Texts that must be readable: one row each.
SELECT snapshot FROM leads;

-- name: wishes()
-- Texts that must be readable: one row each.
SELECT wish FROM outbox WHERE wish IS NOT NULL;

-- name: changes()
-- Texts that must be readable: one row each.
SELECT change FROM outbox WHERE change IS NOT NULL;

-- name: summaries()
-- Texts that must be readable: one row each.
SELECT summary FROM runs WHERE summary IS NOT NULL;

-- name: inventories()
-- Texts that must be readable: one row each.
SELECT content FROM inventories;

-- name: records()
-- Texts that must be readable: one row each.
SELECT record FROM rejects WHERE record <> '';

-- name: drifts()
-- Texts that must be readable: one row each.
SELECT found FROM drift;
