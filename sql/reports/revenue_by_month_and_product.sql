-- Income per month (UTC) and product, as in the reports of each.
WITH named AS (
    SELECT {{ month('transaction_date_utc') }} AS month, product_id, {{ last_product_name }} AS name,
           transaction_type, net_amount
    FROM transactions WHERE {{ is_revenue }}
), sums AS (
    SELECT month, product_id, name,
    {{ revenue_sums }}
    FROM named GROUP BY month, product_id, name
)
SELECT month, product_id, name AS product_name, {{ revenue_columns }}
FROM sums
ORDER BY month, sums.net DESC, {{ by_bytes('product_id') }}, {{ by_bytes('name') }}
