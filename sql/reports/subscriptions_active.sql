-- Active subscriptions per product, price point and period, and what they bring in a month. The value is that
-- of the next payments; where an amount or a period is not known it is left out.
WITH names AS (
    SELECT product_id, min({{ by_bytes('name') }}) AS name
    FROM (SELECT product_id, {{ last_product_name }} AS name FROM transactions) AS named
    WHERE product_id IS NOT NULL GROUP BY product_id
), valued AS (
    SELECT subscription_product_id AS product_id, subscription_price_point AS price_point,
           subscription_recurring_period AS period, {{ monthly_value }} AS value
    FROM subscriptions WHERE subscription_status = 'Active'
), sums AS (
    SELECT product_id, price_point, period, count(*) AS subscriptions, coalesce(sum(value), 0) AS monthly
    FROM valued GROUP BY product_id, price_point, period
)
SELECT sums.product_id, names.name AS product_name, price_point, period, subscriptions,
       {{ money('monthly') }} AS monthly
FROM sums LEFT JOIN names ON names.product_id = sums.product_id
ORDER BY {{ by_bytes('sums.product_id') }}, {{ by_bytes('price_point') }}, {{ by_bytes('period') }}
