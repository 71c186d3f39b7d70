-- Income per product and currency: what was sold, given back, charged back, and what is left. A product has the
-- name it was last sold under. `unvalued` are transactions in no sum, as in the report by month.
WITH named AS (
    SELECT product_id, {{ last_product_name }} AS name, transaction_type, net_amount, currency
    FROM transactions WHERE {{ is_revenue }}
), sums AS (
    SELECT product_id, name, currency,
    {{ revenue_sums }}
    FROM named GROUP BY product_id, name, currency
)
SELECT product_id, name AS product_name, {{ revenue_columns }}
FROM sums
ORDER BY sums.net DESC, {{ by_bytes('product_id') }}, {{ by_bytes('name') }}, {{ by_currency }}
