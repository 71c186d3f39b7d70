-- Transactions whose details are owed, one row each: what the lead's list told of them.
SELECT transaction_id, lead_id, lead_email, transaction_type, extra
FROM transactions
WHERE origin = 'api' AND pulled_at IS NULL
ORDER BY transaction_id
LIMIT :count
