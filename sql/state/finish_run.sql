-- How a run ended.
UPDATE runs SET finished_at = :now, status = :status, message = :message, summary = :summary
WHERE run_id = :run_id;
