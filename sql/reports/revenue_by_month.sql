-- Income per month (UTC): what was sold, given back, charged back, and what is left. Refunds and chargebacks
-- count in the month in which they happened. Amounts as Kartra tells them; no currency is converted.
WITH sums AS (
    SELECT {{ month('transaction_date_utc') }} AS month,
    {{ revenue_sums }}
    FROM transactions WHERE {{ is_revenue }}
    GROUP BY {{ month('transaction_date_utc') }}
)
SELECT month, {{ revenue_columns }}
FROM sums
ORDER BY month
