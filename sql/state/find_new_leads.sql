-- The staged leads that Kartra does not have from us, whose wish it never refused, and for whom no call is without
-- an outcome.
INSERT INTO temp.new_leads (row, shape)
SELECT staged.row, staged.shape
FROM temp.staged
LEFT JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
LEFT JOIN refusals ON refusals.scope_id = :scope_id AND refusals.key = staged.key
                  AND refusals.digest = staged.digest
WHERE staged.blocked IS NULL AND leads.key IS NULL AND refusals.key IS NULL
  AND staged.key NOT IN (SELECT key FROM outbox
                         WHERE scope_id = :scope_id AND state = 'sent' AND state <> 'settled');
