-- Leads that joined, per week (its Monday, by `pull.zone`), deleted ones among them.
SELECT {{ week('date_joined_utc') }} AS week, count(*) AS leads
FROM leads
GROUP BY {{ week('date_joined_utc') }}
ORDER BY {{ week('date_joined_utc') }}
