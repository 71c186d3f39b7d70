-- Staged leads that nothing is known of, set apart. Their tables are made with the staging table.

-- name: find(scope_id)!
-- The staged leads that Kartra does not have from us, whose wish it never refused, and for whom no call is without
-- an outcome.
-- `state <> 'settled'` is there for the partial index: see migration 0001.
INSERT INTO temp.new_leads (row, shape)
SELECT staged.row, staged.shape
FROM temp.staged
LEFT JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
LEFT JOIN refusals ON refusals.scope_id = :scope_id AND refusals.key = staged.key
                  AND refusals.digest = staged.digest
WHERE staged.blocked IS NULL AND leads.key IS NULL AND refusals.key IS NULL
  AND staged.key NOT IN (SELECT key FROM outbox
                         WHERE scope_id = :scope_id AND state = 'sent' AND state <> 'settled');

-- name: find_shapes()!
-- One row per shape of the leads that were set apart.
INSERT INTO temp.new_shapes (row, leads)
SELECT min(row), count(*) FROM temp.new_leads GROUP BY shape ORDER BY min(row);

-- name: shapes(after, count)
-- The next shapes of new leads: the first lead of each, and how many there are.
SELECT new_shapes.leads, staged.row, staged.line, staged.key, staged.digest, staged.wish
FROM temp.new_shapes
JOIN temp.staged ON staged.row = new_shapes.row
WHERE new_shapes.row > :after
ORDER BY new_shapes.row
LIMIT :count;

-- name: clear_leads()!
-- Some of what was staged is left: they are found anew.
DELETE FROM temp.new_leads;

-- name: clear_shapes()!
-- The same.
DELETE FROM temp.new_shapes;

-- name: places(after, count)
-- The rows and keys of the next new leads in the order of the source, one row each.
SELECT staged.row, staged.key
FROM temp.new_leads
JOIN temp.staged ON staged.row = new_leads.row
WHERE new_leads.row > :after
ORDER BY new_leads.row
LIMIT :count;

-- name: leads(after, count)
-- The next new leads in the order of the source, one row each.
SELECT staged.row, staged.line, staged.key, staged.digest, staged.wish
FROM temp.new_leads
JOIN temp.staged ON staged.row = new_leads.row
WHERE new_leads.row > :after
ORDER BY new_leads.row
LIMIT :count;

-- name: clear_values()!
-- Another custom field is asked for.
DELETE FROM temp.new_values;

-- name: find_values(identifier)!
-- One row per value. What is blank is not sent to a new lead.
INSERT INTO temp.new_values (type, value, leads)
SELECT custom_field.type, custom_field.value, count(*)
FROM temp.new_leads
JOIN temp.staged ON staged.row = new_leads.row
JOIN json_each(staged.wish, '$.custom_fields') AS custom_field ON custom_field.key = :identifier
WHERE custom_field.value <> ''
GROUP BY custom_field.type, custom_field.value
ORDER BY min(staged.row);

-- name: values(after, count)
-- The next values that were found.
SELECT place, type, value, leads FROM temp.new_values WHERE place > :after ORDER BY place LIMIT :count;

-- name: range(after, count)$
-- The last row of the next so many new leads, null where there are none.
SELECT max(row) AS until
FROM (SELECT row FROM temp.new_leads WHERE row > :after ORDER BY row LIMIT :count) AS next;

-- name: enqueue(run_id, scope_id, after, until)!
-- Some of the new leads as changes of this run, not sent yet, in the order of the source.
INSERT INTO outbox (run_id, scope_id, key, kind, row, line, digest, state)
SELECT :run_id, :scope_id, staged.key, 'load', staged.row, staged.line, staged.digest, 'planned'
FROM temp.new_leads
JOIN temp.staged ON staged.row = new_leads.row
WHERE new_leads.row > :after AND new_leads.row <= :until
ORDER BY new_leads.row;
