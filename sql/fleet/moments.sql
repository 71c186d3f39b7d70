-- For each pipeline of each account the last moment of its schedule that was dealt with, in seconds since 1970, and
-- whether its run waits or goes on still.
SELECT
    defers.periodic_id AS name,
    max(defers.defer_timestamp) AS at,
    coalesce(bool_or(jobs.status IN ('todo', 'doing')), false) AS is_open
FROM procrastinate_periodic_defers AS defers
LEFT JOIN procrastinate_jobs AS jobs ON jobs.id = defers.job_id
WHERE defers.task_name = 'run'
GROUP BY defers.periodic_id
