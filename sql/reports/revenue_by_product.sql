-- Income per product: what was sold, given back, charged back, and what is left. A product has the name it
-- was last sold under.
WITH named AS (
    SELECT product_id, {{ last_product_name }} AS name, transaction_type, net_amount
    FROM transactions WHERE {{ is_revenue }}
), sums AS (
    SELECT product_id, name,
    {{ revenue_sums }}
    FROM named GROUP BY product_id, name
)
SELECT product_id, name AS product_name, {{ revenue_columns }}
FROM sums
ORDER BY sums.net DESC, {{ by_bytes('product_id') }}, {{ by_bytes('name') }}
