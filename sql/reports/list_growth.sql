-- Leads that joined and left each list, per week (its Monday, by `pull.zone`) in which a pull saw it. What was there at
-- the first pull is no growth, and a deleted lead has not left.
SELECT {{ week('seen_at') }} AS week, field AS list_name,
       count(CASE WHEN new_value = '1' AND coalesce(old_value, '0') <> '1' THEN 1 END) AS joined,
       count(CASE WHEN old_value = '1' AND coalesce(new_value, '0') <> '1' THEN 1 END) AS left_it,
       count(CASE WHEN new_value = '1' AND coalesce(old_value, '0') <> '1' THEN 1 END)
       - count(CASE WHEN old_value = '1' AND coalesce(new_value, '0') <> '1' THEN 1 END) AS growth
FROM lead_changes WHERE kind = 'list'
GROUP BY {{ week('seen_at') }}, field
ORDER BY {{ week('seen_at') }}, {{ by_bytes('field') }}
