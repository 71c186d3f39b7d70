-- Runs and leases, where PostgreSQL has its own words: its clock is the one that all hosts share.

-- name: beat(now, run_id)!
-- A sign of life; no row where the lease was lost to another run.
UPDATE leases SET heartbeat_at = to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
WHERE run_id = :run_id AND CAST(:now AS text) IS NOT NULL;
