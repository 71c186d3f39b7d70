-- Transactions that were pulled and took place within a span of time, one row each, a page at a time by number.
SELECT transaction_id, lead_id
FROM transactions
WHERE origin = 'api' AND pulled_at IS NOT NULL
    AND transaction_date_utc BETWEEN :begin AND :end
    AND transaction_id > :after
ORDER BY transaction_id
LIMIT :count
