-- Which of the given lookups, lead ids and addresses are on the roster or pulled. One row per find.
SELECT lookup AS found FROM lead_roster WHERE lookup IN :lookups
UNION
SELECT lead_id FROM lead_roster WHERE lead_id IN :lead_ids
UNION
SELECT lower(email) FROM leads WHERE lower(email) IN :addresses
