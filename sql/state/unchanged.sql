-- How many staged leads are just as Kartra acknowledged them, and how many are left alone because they
-- were in Kartra before us. Staged ones are few, leads may be millions: hence CROSS JOIN.
SELECT count(*) FILTER (WHERE leads.origin <> 'skipped') AS unchanged,
       count(*) FILTER (WHERE leads.origin = 'skipped') AS skipped
FROM temp.staged
CROSS JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
WHERE EXISTS (SELECT 1 FROM leads WHERE scope_id = :scope_id)
  AND staged.blocked IS NULL AND leads.digest = staged.digest AND leads.removed_at IS NULL;
