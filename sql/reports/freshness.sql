-- How fresh these tables are, one row. Times are UTC; `oldest_profile` is the stalest of the leads that were
-- pulled, `owed` the transactions and subscriptions whose details are still to be pulled. `dated_ahead` are pulls, and
-- leads of the roster, with a time later than now, as a clock that is wrong leaves them: they count as not pulled.
SELECT
    {{ moment("(SELECT max(finished_at) FROM pull_runs
                WHERE status IN ('succeeded', 'partial') AND finished_at <= " ~ soon ~ ")") }} AS last_pull,
    (SELECT count(*) FROM lead_roster) AS on_roster,
    (SELECT count(*) FROM lead_roster WHERE status = 'pulled') AS pulled,
    (SELECT count(*) FROM lead_roster WHERE status = 'waiting') AS waiting,
    (SELECT count(*) FROM lead_roster WHERE status = 'deleted') AS deleted,
    (SELECT count(*) FROM lead_roster WHERE status = 'unknown') AS unknown_to_kartra,
    {{ moment("(SELECT min(profile_at) FROM lead_roster
                WHERE status = 'pulled' AND profile_at <= " ~ soon ~ ")") }} AS oldest_profile,
    (SELECT count(*) FROM transactions WHERE origin = 'api' AND pulled_at IS NULL)
    + (SELECT count(*) FROM subscriptions WHERE is_owed = 1) AS owed,
    (SELECT count(*) FROM transactions WHERE origin = 'export') AS from_export_only,
    (SELECT count(*) FROM pull_runs WHERE finished_at > {{ soon }})
    + (SELECT count(*) FROM lead_roster WHERE profile_at > {{ soon }} OR sales_at > {{ soon }}) AS dated_ahead
