-- Leads that stand in the files for Kartra's own import.

-- name: count(scope_id)$
-- Leads in the files that were written last.
SELECT count(*) FROM imports WHERE scope_id = :scope_id;

-- name: importable(scope_id, after, everything, count)
-- Leads that may go into a file for Kartra's own import, a page at a time in the order of the source: those
-- Kartra does not have and, where all are wanted, those it has from us.
SELECT staged.row, staged.key, staged.digest, staged.wish, adopting.standing, leads.snapshot,
       refusals.reason AS refused
FROM temp.staged JOIN temp.adopting ON adopting.key = staged.key
LEFT JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
LEFT JOIN refusals ON refusals.scope_id = :scope_id AND refusals.key = staged.key
                  AND refusals.digest = staged.digest
WHERE staged.blocked IS NULL AND staged.row > :after
  AND (adopting.standing NOT IN ('known', 'changed') OR (:everything AND leads.origin <> 'skipped'))
ORDER BY staged.row
LIMIT :count;

-- name: create_importing()!
-- What goes into the files of one `export-import`. One row per key.
CREATE TEMP TABLE importing (key TEXT PRIMARY KEY, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;

-- name: add*!
-- One lead that stands in a file of this `export-import`.
INSERT INTO temp.importing (key, digest) VALUES (:key, :digest);

-- name: clear(scope_id)!
-- The files that were written before hold them no more.
DELETE FROM imports WHERE scope_id = :scope_id;

-- name: keep(scope_id)!
-- What the files hold that are about to be put in their place, instead of what earlier ones held.
INSERT INTO imports (scope_id, key, digest)
SELECT :scope_id, key, digest FROM temp.importing WHERE true ORDER BY key;
