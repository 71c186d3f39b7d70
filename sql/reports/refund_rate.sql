-- What was given back of each month's sales, per currency, in percent of their number and of their money. A refund or
-- chargeback counts in the month (of `pull.zone`) of its sale, also when it came later; those of a sale that is not
-- known stand in a row without a month. A refund without a currency has that of its sale. `unvalued` are
-- transactions in no sum, as in the report of the revenue.
WITH given_back AS (
    SELECT transaction_parent_id AS sale_id, currency, -sum({{ units('net_amount') }}) AS refunded,
           count(CASE WHEN net_amount IS NULL THEN 1 END) AS unvalued
    FROM transactions WHERE transaction_type IN ('refund', 'partial_refund', 'chargeback')
    GROUP BY transaction_parent_id, currency
), refunded_sales AS (
    SELECT DISTINCT sale_id FROM given_back
), sold AS (
    SELECT transaction_id, {{ month('transaction_date_utc') }} AS month, currency,
           {{ units('net_amount') }} AS gross, CASE WHEN net_amount IS NULL THEN 1 ELSE 0 END AS unvalued
    FROM transactions WHERE transaction_type IN ('sale', 'rebill')
), every_side AS (
    SELECT sold.month, sold.currency, 1 AS sale, sold.gross,
           CASE WHEN refunded_sales.sale_id IS NULL THEN 0 ELSE 1 END AS is_refunded, 0 AS refunded, sold.unvalued
    FROM sold LEFT JOIN refunded_sales ON refunded_sales.sale_id = sold.transaction_id
    UNION ALL
    SELECT sold.month, coalesce(given_back.currency, sold.currency), 0, 0, 0, given_back.refunded,
           given_back.unvalued
    FROM given_back LEFT JOIN sold ON sold.transaction_id = given_back.sale_id
    UNION ALL
    SELECT {{ month('transaction_date_utc') }}, currency, 0, 0, 0, 0, 1
    FROM transactions WHERE {{ is_unknown_type }}
), sums AS (
    SELECT month, currency, count(CASE WHEN sale = 1 THEN 1 END) AS sales,
           count(CASE WHEN is_refunded = 1 THEN 1 END) AS refunded_sales,
           coalesce(sum(gross), 0) AS gross, coalesce(sum(refunded), 0) AS refunded, sum(unvalued) AS unvalued
    FROM every_side GROUP BY month, currency
)
SELECT month, sales, refunded_sales, {{ percent('refunded_sales', 'sales') }} AS percent_of_sales,
       {{ money('gross') }} AS gross, {{ money('refunded') }} AS refunded,
       {{ percent('refunded', 'gross') }} AS percent_of_money, currency, {{ whole('unvalued') }} AS unvalued
FROM sums
ORDER BY CASE WHEN month IS NULL THEN 1 ELSE 0 END, month, {{ by_currency }}
