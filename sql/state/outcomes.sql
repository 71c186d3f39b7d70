-- The outcomes of a run of which nothing is planned any more, counted: one row per kind of entry and outcome.
SELECT kind, coalesce(outcome, 'deferred') AS outcome, count(*) AS entries
FROM outbox
WHERE run_id = :run_id AND state <> 'planned' AND coalesce(outcome, '') <> 'recovered'
GROUP BY 1, 2;
