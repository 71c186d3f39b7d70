-- The hashes of staged records that are just as Kartra acknowledged them and the only ones of their key, as the
-- next run may know them again. One row per lead.
INSERT INTO raw_hashes (scope_id, key, raw)
SELECT leads.scope_id, leads.key, staged.raw
FROM temp.staged CROSS JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
WHERE staged.blocked IS NULL AND staged.raw IS NOT NULL
  AND leads.digest = staged.digest AND leads.removed_at IS NULL AND leads.origin <> 'skipped'
  AND staged.row NOT IN (SELECT winner FROM temp.losers)
ORDER BY staged.key
ON CONFLICT (scope_id, key) DO UPDATE SET raw = excluded.raw WHERE raw <> excluded.raw;
