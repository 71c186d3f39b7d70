-- Some of the new leads as changes of this run, not sent yet, in the order of the source.
INSERT INTO outbox (run_id, scope_id, key, kind, row, line, digest, state)
SELECT :run_id, :scope_id, staged.key, 'load', staged.row, staged.line, staged.digest, 'planned'
FROM temp.new_leads
JOIN temp.staged ON staged.row = new_leads.row
WHERE new_leads.row > :after AND new_leads.row <= :until
ORDER BY new_leads.row;
