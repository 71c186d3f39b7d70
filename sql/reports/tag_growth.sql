-- Leads that got and lost each tag, per week (its Monday, by `pull.zone`) in which a pull saw it. What was there at the
-- first pull is no growth, and a deleted lead has not lost its tags.
SELECT {{ week('seen_at') }} AS week, field AS tag_name,
       count(CASE WHEN old_value IS NULL THEN 1 END) AS given,
       count(CASE WHEN new_value IS NULL THEN 1 END) AS taken,
       count(CASE WHEN old_value IS NULL THEN 1 END) - count(CASE WHEN new_value IS NULL THEN 1 END) AS growth
FROM lead_changes WHERE kind = 'tag'
GROUP BY {{ week('seen_at') }}, field
ORDER BY {{ week('seen_at') }}, {{ by_bytes('field') }}
