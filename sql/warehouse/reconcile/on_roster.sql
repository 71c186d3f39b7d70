-- Which of the given leads are on the roster, by their number or as they are asked for. One row per lead.
SELECT lead_id AS found FROM lead_roster WHERE lead_id IN :lead_ids
UNION
SELECT substr(lookup, 4) FROM lead_roster WHERE lookup IN :lookups
