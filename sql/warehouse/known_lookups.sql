-- Which of the given lookups, lead ids and addresses are on the roster or pulled. One row per find. The address
-- of a lead that is gone may be somebody's new lead.
SELECT lookup AS found FROM lead_roster WHERE lookup IN :lookups
UNION
SELECT lead_id FROM lead_roster WHERE lead_id IN :lead_ids
UNION
SELECT lower(email) FROM leads WHERE lower(email) IN :addresses AND gone_at IS NULL
