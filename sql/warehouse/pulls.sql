-- Pulls, and the names and sales they keep. Names of tables and columns are ours.

-- name: earlier_pulls
-- Whose tables these are, the oldest pull first. One row per pull.
SELECT pull_id, account, started_at, notes FROM pull_runs ORDER BY started_at

-- name: note_pull
-- What became known of a pull later.
UPDATE pull_runs SET notes = :notes WHERE pull_id = :pull_id

-- name: finish_pull
-- A pull has ended.
UPDATE pull_runs
SET finished_at = :finished_at, status = :status, calls = :calls, leads_read = :leads_read,
    leads_waiting = :leads_waiting, pulled = :pulled, notes = :notes
WHERE pull_id = :pull_id

-- name: names
-- Every tag, list, sequence, page, custom field or option that a pull has seen.
SELECT * FROM {{ table }}

-- name: mark_name_gone
-- A name is not in the account any more.
UPDATE {{ table }} SET gone_at = :now
WHERE {% for key in keys %}{{ key }} = :{{ key }}{{ " AND " if not loop.last }}{% endfor %}

-- name: known_transactions
-- What the tables know of the given transactions. One row each.
SELECT transaction_id, transaction_type, lead_id, origin FROM transactions WHERE transaction_id IN :ids

-- name: move_transaction
-- Leads were merged: a transaction hangs on the lead whose list has it now.
UPDATE transactions SET lead_id = :lead_id WHERE transaction_id = :id

-- name: known_subscriptions
-- The given subscriptions as they stand in the tables. One row each.
SELECT * FROM subscriptions WHERE subscription_id IN :ids

-- name: owed_transactions
-- Transactions whose details are owed, one row each: what the lead's list told of them.
SELECT transaction_id, lead_id, lead_email, transaction_type, extra
FROM transactions
WHERE origin = 'api' AND pulled_at IS NULL
ORDER BY transaction_id
LIMIT :count

-- name: owed_subscriptions
-- Subscriptions whose details are owed, one row each: what the lead's list told of them.
SELECT subscription_id, lead_id, lead_email, subscription_status
FROM subscriptions
WHERE is_owed = 1
ORDER BY subscription_id
LIMIT :count

-- name: refuse_transaction
-- Kartra refused the details of a transaction: they are not asked for again.
UPDATE transactions SET pulled_at = :now, extra = :extra WHERE transaction_id = :id

-- name: refuse_subscription
-- Kartra refused the details of a subscription: they are not asked for again before its status changes.
UPDATE subscriptions SET is_owed = 0, extra = :extra WHERE subscription_id = :id

-- name: unvalued_transactions
-- Transactions that are in no sum of a report although nothing is owed of them: of a type that is not known, or money
-- that moved without an amount. One row per type.
SELECT transaction_type AS word, count(*) AS found
FROM transactions
WHERE net_amount IS NULL AND (pulled_at IS NOT NULL OR origin = 'export')
    AND (transaction_type IS NULL OR transaction_type NOT IN :without_money)
GROUP BY transaction_type

-- name: unvalued_subscriptions
-- Subscriptions of a status that is not known, and those that are over since nobody knows when. One row per status.
SELECT subscription_status AS word, count(*) AS found
FROM subscriptions
WHERE is_owed = 0
    AND (subscription_status IS NULL OR subscription_status NOT IN :statuses
         OR (subscription_status IN :over AND subscription_end_date_utc IS NULL))
GROUP BY subscription_status

-- name: erase_buyer_by_lead
-- A person is forgotten: what the lead bought stays, without the buyer.
UPDATE {{ table }} SET {% for column in columns %}{{ column }} = NULL, {% endfor %}extra = NULL
WHERE lead_id = :lead_id

-- name: erase_buyer_by_address
-- The same for rows that name no lead, as those of an export may.
UPDATE {{ table }} SET {% for column in columns %}{{ column }} = NULL, {% endfor %}extra = NULL
WHERE lower(lead_email) = :lead_email

-- name: report_views
-- The views of reports that stand here, and the digest of the text each was made from. One row per view.
SELECT name, digest FROM report_views
