-- Monthly recurring revenue, one row per currency. Each active subscription counts with its next payment times its
-- payments a month (weekly 52/12, yearly 1/12), rounded to 4 decimals; those with a fixed number of payments
-- stand apart; `unvalued` are active ones whose amount or period is not known, and those of a status that nobody
-- knows. A subscription has the currency of its payments, else of its product, where that is one alone.
WITH {{ subscriptions_with_currency }}, valued AS (
    SELECT currency, subscription_status AS status, {{ monthly_value }} AS value,
           CASE WHEN {{ is_unknown_status }} THEN 1 ELSE 0 END AS is_unknown,
           CASE WHEN {{ bare('subscription_installments_left') }} IN ('untilcancelled', 'untilcanceled')
                THEN 1 ELSE 0 END AS is_endless
    FROM subscribed WHERE subscription_status IN ('Active', 'Paused') OR {{ is_unknown_status }}
), sums AS (
    SELECT currency, count(CASE WHEN status = 'Active' THEN 1 END) AS active,
           count(CASE WHEN status = 'Paused' THEN 1 END) AS paused,
           coalesce(sum(CASE WHEN status = 'Active' AND is_endless = 1 THEN value END), 0) AS monthly,
           coalesce(sum(CASE WHEN status = 'Active' AND is_endless = 0 THEN value END), 0) AS instalments,
           count(CASE WHEN is_unknown = 1 OR (status = 'Active' AND value IS NULL) THEN 1 END) AS unvalued
    FROM valued GROUP BY currency
), every_row AS (
    SELECT active, paused, monthly, instalments, unvalued, currency FROM sums
    UNION ALL
    SELECT 0, 0, 0, 0, 0, NULL FROM (SELECT 1 AS one) AS no_row WHERE NOT EXISTS (SELECT 1 FROM sums)
)
SELECT active, paused, {{ money('monthly') }} AS monthly, {{ money('instalments') }} AS monthly_instalments,
       unvalued, currency
FROM every_row
ORDER BY {{ by_currency }}
