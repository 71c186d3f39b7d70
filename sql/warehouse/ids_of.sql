-- Kartra's numbers of the leads that have, or had when they bought, one of these addresses. One row each.
SELECT id FROM leads WHERE lower(email) IN :addresses
UNION
SELECT lead_id FROM transactions WHERE lower(lead_email) IN :addresses AND lead_id IS NOT NULL
UNION
SELECT lead_id FROM subscriptions WHERE lower(lead_email) IN :addresses AND lead_id IS NOT NULL
UNION
SELECT lead_id FROM lead_changes WHERE field = 'email' AND lower(old_value) IN :addresses
