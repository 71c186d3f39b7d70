-- A pull has ended.
UPDATE pull_runs
SET finished_at = :finished_at, status = :status, calls = :calls, leads_read = :leads_read,
    leads_waiting = :leads_waiting, pulled = :pulled, notes = :notes
WHERE pull_id = :pull_id
