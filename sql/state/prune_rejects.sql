-- Rejects of a pipeline's runs before its last ones: they hold people's data.
DELETE FROM rejects WHERE run_id IN (
    SELECT run_id FROM runs WHERE pipeline = :pipeline ORDER BY started_at DESC LIMIT -1 OFFSET 5);
