-- Active subscriptions per product, price point, period and currency, and what they bring in a month. The value is
-- that of the next payments. `unvalued` are those whose amount or period is not known, and subscriptions of a status
-- that nobody knows: they may be active.
WITH {{ subscriptions_with_currency }}, names AS (
    SELECT product_id, min({{ by_bytes('name') }}) AS name
    FROM (SELECT product_id, {{ last_product_name }} AS name FROM transactions) AS named
    WHERE product_id IS NOT NULL GROUP BY product_id
), valued AS (
    SELECT subscription_product_id AS product_id, subscription_price_point AS price_point,
           subscription_recurring_period AS period, currency,
           CASE WHEN subscription_status = 'Active' THEN 1 ELSE 0 END AS is_active,
           CASE WHEN subscription_status = 'Active' THEN {{ monthly_value }} END AS value
    FROM subscribed WHERE subscription_status = 'Active' OR {{ is_unknown_status }}
), sums AS (
    SELECT product_id, price_point, period, currency, count(CASE WHEN is_active = 1 THEN 1 END) AS subscriptions,
           coalesce(sum(value), 0) AS monthly, count(CASE WHEN value IS NULL THEN 1 END) AS unvalued
    FROM valued GROUP BY product_id, price_point, period, currency
)
SELECT sums.product_id, names.name AS product_name, price_point, period, subscriptions,
       {{ money('monthly') }} AS monthly, currency, unvalued
FROM sums LEFT JOIN names ON names.product_id = sums.product_id
ORDER BY {{ by_bytes('sums.product_id') }}, {{ by_bytes('price_point') }}, {{ by_bytes('period') }},
         {{ by_currency }}
