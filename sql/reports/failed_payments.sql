-- Payments that failed, per month (of `pull.zone`) and currency: how many, over how much, of how many leads.
-- `unvalued` are failed payments without an amount, and transactions of a type that nobody knows.
WITH sums AS (
    SELECT {{ month('transaction_date_utc') }} AS month, currency,
           count(CASE WHEN transaction_type = 'failed' THEN 1 END) AS payments,
           coalesce(sum(CASE WHEN transaction_type = 'failed'
                             THEN abs({{ units('transaction_full_amount') }}) END), 0) AS amount,
           count(DISTINCT CASE WHEN transaction_type = 'failed' THEN lead_id END) AS leads,
           count(CASE WHEN {{ is_unknown_type }} OR transaction_full_amount IS NULL THEN 1 END) AS unvalued
    FROM transactions WHERE transaction_type = 'failed' OR {{ is_unknown_type }}
    GROUP BY {{ month('transaction_date_utc') }}, currency
)
SELECT month, payments, {{ money('amount') }} AS amount, leads, currency, unvalued
FROM sums
ORDER BY month, {{ by_currency }}
