-- Operations of a pipeline that nothing is done about until somebody acts, oldest first: those that may have
-- been carried out (`unproven`), and those that were refused (`refused`).
SELECT key, mode, row, do, target, lead, amount, type, reason, settled_at AS since,
       CASE outcome WHEN 'parked' THEN 'unproven' ELSE 'refused' END AS kind
FROM operations JOIN scopes USING (scope_id)
WHERE pipeline = :pipeline AND outcome IN ('parked', 'refused')
ORDER BY settled_at, key;
