-- Subscriptions that ended, per month (UTC): cancelled, or with all payments made; and the cancelled ones in
-- percent of those that ran when the month began. `monthly_lost` is what the cancelled ones brought in a
-- month, where Kartra still tells it.
WITH ended AS (
    SELECT {{ month('subscription_end_date_utc') }} AS month,
           count(CASE WHEN subscription_status = 'Cancelled' THEN 1 END) AS cancelled,
           count(CASE WHEN subscription_status = 'Terminated' THEN 1 END) AS finished,
           coalesce(sum(CASE WHEN subscription_status = 'Cancelled' THEN {{ monthly_value }} END), 0) AS lost
    FROM subscriptions WHERE subscription_end_date_utc IS NOT NULL
    GROUP BY {{ month('subscription_end_date_utc') }}
), counted AS (
    SELECT month, cancelled, finished, lost,
           (SELECT count(*) FROM subscriptions
            WHERE {{ month('subscription_start_date_utc') }} < ended.month
              AND (subscription_end_date_utc IS NULL
                   OR {{ month('subscription_end_date_utc') }} >= ended.month)) AS running
    FROM ended
)
SELECT month, running AS running_before, cancelled, finished,
       {{ percent('cancelled', 'running') }} AS percent_cancelled, {{ money('lost') }} AS monthly_lost
FROM counted
ORDER BY month
