-- Leads of the roster that are not fresh, those never asked for first, then the oldest. One row per lookup.
SELECT lookup, lead_id, status, profile_at, sales_at
FROM lead_roster
WHERE (:profiles = 1 AND (profile_at IS NULL OR profile_at < :before))
   OR (:sales = 1 AND status IN ('waiting', 'pulled') AND (sales_at IS NULL OR sales_at < :before))
ORDER BY CASE WHEN profile_at IS NULL THEN 0 ELSE 1 END, profile_at, lookup
LIMIT :count
