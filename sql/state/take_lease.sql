-- The lease of a pipeline for this run.
INSERT INTO leases (pipeline, run_id, host, pid, process_started, taken_at, heartbeat_at)
VALUES (:pipeline, :run_id, :host, :pid, :process_started, :now, :now)
ON CONFLICT (pipeline) DO UPDATE SET
    run_id = excluded.run_id, host = excluded.host, pid = excluded.pid,
    process_started = excluded.process_started, taken_at = excluded.taken_at,
    heartbeat_at = excluded.heartbeat_at;
