-- Payments that failed, per month (UTC): how many, over how much, of how many leads.
WITH sums AS (
    SELECT {{ month('transaction_date_utc') }} AS month, count(*) AS payments,
           coalesce(sum(abs({{ units('transaction_full_amount') }})), 0) AS amount,
           count(DISTINCT lead_id) AS leads
    FROM transactions WHERE transaction_type = 'failed'
    GROUP BY {{ month('transaction_date_utc') }}
)
SELECT month, payments, {{ money('amount') }} AS amount, leads
FROM sums
ORDER BY month
