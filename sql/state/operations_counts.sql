-- How the operations of a pipeline stand, one row per operation and outcome; those without one are unknown.
SELECT do, coalesce(outcome, 'unknown') AS outcome, count(*) AS operations
FROM operations JOIN scopes USING (scope_id)
WHERE pipeline = :pipeline GROUP BY 1, 2 ORDER BY 1, 2;
