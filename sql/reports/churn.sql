-- Subscriptions that ended, per month (of `pull.zone`) and currency: cancelled, or with all payments made; and the
-- cancelled ones in percent of those that ran when the month began. `monthly_lost` is what the cancelled ones brought
-- in a month, where Kartra still tells it. `undated` are over, and nobody knows since when: they are not counted as
-- running, and those that have ended stand in a row without a month. `unvalued` are of a status that nobody knows, or
-- without a beginning.
WITH {{ subscriptions_with_currency }}, dated AS (
    SELECT currency, {{ monthly_value }} AS value,
           CASE WHEN {{ is_unknown_status }} THEN 'unknown' ELSE subscription_status END AS status,
           {{ month('subscription_start_date_utc') }} AS began, {{ month('subscription_end_date_utc') }} AS month
    FROM subscribed
), ended AS (
    SELECT month, currency,
           count(CASE WHEN status = 'Cancelled' THEN 1 END) AS cancelled,
           count(CASE WHEN status = 'Terminated' THEN 1 END) AS finished,
           coalesce(sum(CASE WHEN status = 'Cancelled' THEN value END), 0) AS lost
    FROM dated
    WHERE month IS NOT NULL OR status NOT IN ('Active', 'Paused') OR began IS NULL
    GROUP BY month, currency
), counted AS (
    SELECT ended.month, ended.currency, cancelled, finished, lost,
           count(CASE WHEN dated.began < ended.month
                       AND (dated.month >= ended.month
                            OR (dated.month IS NULL AND status IN ('Active', 'Paused'))) THEN 1 END) AS running,
           count(CASE WHEN dated.month IS NULL AND status IN ('Cancelled', 'Terminated')
                       AND (ended.month IS NULL OR dated.began < ended.month) THEN 1 END) AS undated,
           count(CASE WHEN (ended.month IS NULL AND (status = 'unknown' OR dated.began IS NULL))
                        OR (status = 'unknown' AND dated.began < ended.month
                            AND (dated.month IS NULL OR dated.month >= ended.month)) THEN 1 END) AS unvalued
    FROM ended JOIN dated ON coalesce(dated.currency, '') = coalesce(ended.currency, '')
    GROUP BY ended.month, ended.currency, cancelled, finished, lost
)
SELECT month, CASE WHEN month IS NOT NULL THEN running END AS running_before, cancelled, finished,
       CASE WHEN month IS NOT NULL THEN {{ percent('cancelled', 'running') }} END AS percent_cancelled,
       {{ money('lost') }} AS monthly_lost, currency, undated, unvalued
FROM counted
ORDER BY CASE WHEN month IS NULL THEN 1 ELSE 0 END, month, {{ by_currency }}
