-- What was given back of each month's sales, in percent of their number and of their money. A refund or
-- chargeback counts in the month (UTC) of its sale, also when it came later; those of a sale that is not
-- known stand in a row without a month.
WITH given_back AS (
    SELECT transaction_parent_id AS sale_id, -sum({{ units('net_amount') }}) AS refunded
    FROM transactions WHERE transaction_type IN ('refund', 'partial_refund', 'chargeback')
    GROUP BY transaction_parent_id
), sold AS (
    SELECT transaction_id, {{ month('transaction_date_utc') }} AS month, {{ units('net_amount') }} AS gross
    FROM transactions WHERE transaction_type IN ('sale', 'rebill')
), both_sides AS (
    SELECT sold.month, 1 AS sale, sold.gross,
           CASE WHEN given_back.sale_id IS NULL THEN 0 ELSE 1 END AS is_refunded, given_back.refunded
    FROM sold LEFT JOIN given_back ON given_back.sale_id = sold.transaction_id
    UNION ALL
    SELECT NULL, 0, 0, 0, given_back.refunded
    FROM given_back LEFT JOIN sold ON sold.transaction_id = given_back.sale_id
    WHERE sold.transaction_id IS NULL
), sums AS (
    SELECT month, count(CASE WHEN sale = 1 THEN 1 END) AS sales,
           count(CASE WHEN is_refunded = 1 THEN 1 END) AS refunded_sales,
           coalesce(sum(gross), 0) AS gross, coalesce(sum(refunded), 0) AS refunded
    FROM both_sides GROUP BY month
)
SELECT month, sales, refunded_sales, {{ percent('refunded_sales', 'sales') }} AS percent_of_sales,
       {{ money('gross') }} AS gross, {{ money('refunded') }} AS refunded,
       {{ percent('refunded', 'gross') }} AS percent_of_money
FROM sums
ORDER BY CASE WHEN month IS NULL THEN 1 ELSE 0 END, month
