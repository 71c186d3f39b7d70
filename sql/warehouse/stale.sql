-- Leads of the roster that are not fresh, those never asked for first, then the oldest. One row per lookup.
-- A lead that Kartra did not know is asked for again by its profile, or by its sales where those alone are pulled.
SELECT lookup, lead_id, status, profile_at, sales_at
FROM lead_roster
WHERE (:profiles = 1 AND (profile_at IS NULL OR profile_at < :before))
   OR (:sales = 1 AND (:profiles = 0 OR status IN ('waiting', 'pulled'))
       AND (sales_at IS NULL OR sales_at < :before))
ORDER BY CASE WHEN (CASE WHEN :profiles = 1 THEN profile_at ELSE sales_at END) IS NULL THEN 0 ELSE 1 END,
         CASE WHEN :profiles = 1 THEN profile_at ELSE sales_at END, lookup
LIMIT :count
