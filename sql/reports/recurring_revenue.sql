-- Monthly recurring revenue, one row. Each active subscription counts with its next payment times its
-- payments a month (weekly 52/12, yearly 1/12), rounded to 4 decimals; those with a fixed number of payments
-- stand apart; `unvalued` are active ones whose amount or period is not known.
WITH valued AS (
    SELECT subscription_status AS status, {{ monthly_value }} AS value,
           CASE WHEN lower(subscription_installments_left) = 'until cancelled' THEN 1 ELSE 0 END AS is_endless
    FROM subscriptions
), sums AS (
    SELECT count(CASE WHEN status = 'Active' THEN 1 END) AS active,
           count(CASE WHEN status = 'Paused' THEN 1 END) AS paused,
           coalesce(sum(CASE WHEN status = 'Active' AND is_endless = 1 THEN value END), 0) AS monthly,
           coalesce(sum(CASE WHEN status = 'Active' AND is_endless = 0 THEN value END), 0) AS instalments,
           count(CASE WHEN status = 'Active' AND value IS NULL THEN 1 END) AS unvalued
    FROM valued
)
SELECT active, paused, {{ money('monthly') }} AS monthly, {{ money('instalments') }} AS monthly_instalments,
       unvalued
FROM sums
