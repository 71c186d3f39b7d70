-- Leads: who is on the roster, how fresh each is, and what the tables show of them. Names of tables are ours.

-- name: known_lookups
-- Which of the given lookups, lead ids and addresses are on the roster or pulled. One row per find. The address
-- of a lead that is gone may be somebody's new lead.
SELECT lookup AS found FROM lead_roster WHERE lookup IN :lookups
UNION
SELECT lead_id FROM lead_roster WHERE lead_id IN :lead_ids
UNION
SELECT lower(email) FROM leads WHERE lower(email) IN :addresses AND gone_at IS NULL

-- name: ids_of
-- Kartra's numbers of the leads that have, or had when they bought, one of these addresses. One row each.
SELECT id FROM leads WHERE lower(email) IN :addresses
UNION
SELECT lead_id FROM transactions WHERE lower(lead_email) IN :addresses AND lead_id IS NOT NULL
UNION
SELECT lead_id FROM subscriptions WHERE lower(lead_email) IN :addresses AND lead_id IS NOT NULL
UNION
SELECT lead_id FROM lead_changes WHERE field = 'email' AND lower(old_value) IN :addresses

-- name: stale
-- Leads of the roster that are not fresh, those never asked for first, then the oldest. One row per lookup. A time
-- later than now was written by a clock that was wrong: it counts as never.
-- A lead that Kartra did not know is asked for again by its profile, or by its sales where those alone are pulled.
SELECT lookup, lead_id, status, profile_at, sales_at
FROM lead_roster
WHERE (:profiles = 1 AND (profile_at IS NULL OR profile_at < :before OR profile_at > :latest))
   OR (:sales = 1 AND (:profiles = 0 OR status IN ('waiting', 'pulled'))
       AND (sales_at IS NULL OR sales_at < :before OR sales_at > :latest))
ORDER BY CASE WHEN (CASE WHEN :profiles = 1 THEN profile_at ELSE sales_at END) <= :latest THEN 1 ELSE 0 END,
         CASE WHEN :profiles = 1 THEN profile_at ELSE sales_at END, lookup
LIMIT :count

-- name: waiting
-- How many leads of the roster are not fresh, and how many details are owed. One row.
SELECT
    (SELECT count(*) FROM lead_roster
     WHERE :profiles = 1 AND (profile_at IS NULL OR profile_at < :before OR profile_at > :latest)) AS profiles,
    (SELECT count(*) FROM lead_roster
     WHERE :sales = 1 AND (:profiles = 0 OR status IN ('waiting', 'pulled'))
       AND (sales_at IS NULL OR sales_at < :before OR sales_at > :latest)) AS sales,
    (SELECT count(*) FROM lead_roster
     WHERE (:profiles = 1 AND (profile_at IS NULL OR profile_at < :before OR profile_at > :latest))
        OR (:sales = 1 AND (:profiles = 0 OR status IN ('waiting', 'pulled'))
            AND (sales_at IS NULL OR sales_at < :before OR sales_at > :latest))
    ) AS leads,
    (SELECT count(*) FROM transactions WHERE origin = 'api' AND pulled_at IS NULL)
    + (SELECT count(*) FROM subscriptions WHERE is_owed = 1) AS details,
    (SELECT count(*) FROM lead_roster) AS roster

-- name: newly_gone
-- Leads that are not marked as gone, by lookups of the roster. One row per lead.
SELECT DISTINCT lead_roster.lead_id
FROM lead_roster JOIN leads ON leads.id = lead_roster.lead_id
WHERE lead_roster.lookup IN :lookups AND leads.gone_at IS NULL

-- name: mark_gone
-- A lead is deleted; its last profile stays.
UPDATE leads SET gone_at = :now WHERE id = :id

-- name: learn_lead
-- Kartra has told which lead a lookup is.
UPDATE lead_roster SET lead_id = :lead_id WHERE lookup = :lookup

-- name: sales_asked
-- A lead's lists of transactions and subscriptions were asked for.
UPDATE lead_roster SET sales_at = :now, status = :status, type = :type WHERE lookup = :lookup

-- name: leads
-- The given leads as they stand in the tables. One row per lead.
SELECT * FROM leads WHERE id IN :ids

-- name: parts
-- Rows of one of the tables of what a lead has several of, for the given leads.
SELECT * FROM {{ table }} WHERE lead_id IN :ids
