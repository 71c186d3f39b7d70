-- Income per month (of `pull.zone`) and currency: what was sold, given back, charged back, and what is left.
-- Refunds and chargebacks count in the month in which they happened. The currency is known from Kartra's own
-- export, and blank where it is not; none is converted. `unvalued` are transactions in no sum: of a type that nobody
-- knows, or without an amount that is a number.
WITH sums AS (
    SELECT {{ month('transaction_date_utc') }} AS month, currency,
    {{ revenue_sums }}
    FROM transactions WHERE {{ is_revenue }}
    GROUP BY {{ month('transaction_date_utc') }}, currency
)
SELECT month, {{ revenue_columns }}
FROM sums
ORDER BY month, {{ by_currency }}
