-- Income per month (of `pull.zone`), product and currency, as in the reports of each.
WITH named AS (
    SELECT {{ month('transaction_date_utc') }} AS month, product_id, {{ last_product_name }} AS name,
           transaction_type, net_amount, currency
    FROM transactions WHERE {{ is_revenue }}
), sums AS (
    SELECT month, product_id, name, currency,
    {{ revenue_sums }}
    FROM named GROUP BY month, product_id, name, currency
)
SELECT month, product_id, name AS product_name, {{ revenue_columns }}
FROM sums
ORDER BY month, sums.net DESC, {{ by_bytes('product_id') }}, {{ by_bytes('name') }}, {{ by_currency }}
