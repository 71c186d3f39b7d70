-- How many leads of the roster are not fresh, and how many details are owed. One row.
SELECT
    (SELECT count(*) FROM lead_roster
     WHERE :profiles = 1 AND (profile_at IS NULL OR profile_at < :before)) AS profiles,
    (SELECT count(*) FROM lead_roster
     WHERE :sales = 1 AND (:profiles = 0 OR status IN ('waiting', 'pulled'))
       AND (sales_at IS NULL OR sales_at < :before)) AS sales,
    (SELECT count(*) FROM lead_roster
     WHERE (:profiles = 1 AND (profile_at IS NULL OR profile_at < :before))
        OR (:sales = 1 AND (:profiles = 0 OR status IN ('waiting', 'pulled'))
            AND (sales_at IS NULL OR sales_at < :before))
    ) AS leads,
    (SELECT count(*) FROM transactions WHERE origin = 'api' AND pulled_at IS NULL)
    + (SELECT count(*) FROM subscriptions WHERE is_owed = 1) AS details,
    (SELECT count(*) FROM lead_roster) AS roster
