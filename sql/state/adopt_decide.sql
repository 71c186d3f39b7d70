-- How each staged lead stands, in the order of key. `known`: just as it was acknowledged. `changed`: known, and
-- its record asks for something else. `unknown`: a call for it has no outcome yet. `shared`: its address is
-- that of another record. `not_imported`: `export-import` did not write it, or not as it is now. Else `new`.
INSERT INTO temp.adopting (key, row, standing)
SELECT staged.key, staged.row, CASE
    WHEN leads.key IS NOT NULL AND leads.digest = staged.digest AND leads.removed_at IS NULL THEN 'known'
    WHEN leads.key IS NOT NULL THEN 'changed'
    WHEN EXISTS (SELECT 1 FROM outbox WHERE outbox.scope_id = :scope_id AND outbox.key = staged.key
                 AND outbox.state = 'sent' AND outbox.state <> 'planned') THEN 'unknown'
    WHEN EXISTS (SELECT 1 FROM temp.sharing WHERE sharing.row = staged.row) THEN 'shared'
    WHEN :only_imported AND NOT EXISTS (SELECT 1 FROM imports WHERE imports.scope_id = :scope_id
                                        AND imports.key = staged.key AND imports.digest = staged.digest)
        THEN 'not_imported'
    ELSE 'new' END
FROM temp.staged
LEFT JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
WHERE staged.blocked IS NULL
ORDER BY staged.key;
