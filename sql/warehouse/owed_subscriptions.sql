-- Subscriptions whose details are owed, one row each: what the lead's list told of them.
SELECT subscription_id, lead_id, lead_email, subscription_status
FROM subscriptions
WHERE is_owed = 1
ORDER BY subscription_id
LIMIT :count
