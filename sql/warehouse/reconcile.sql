-- Kartra's export of transactions beside what was pulled. Those of `scratch` and after it run on a SQLite file of
-- their own.

-- name: known
-- The transactions with the given numbers, one row each; nobody changes them before this transaction ends.
SELECT * FROM transactions WHERE transaction_id IN :ids
{% if dialect != 'sqlite' %}FOR UPDATE{% endif %}

-- name: on_roster
-- Which of the given leads are on the roster, by their number or as they are asked for. One row per lead.
SELECT lead_id AS found FROM lead_roster WHERE lead_id IN :lead_ids
UNION
SELECT substr(lookup, 4) FROM lead_roster WHERE lookup IN :lookups

-- name: pulled_within
-- Transactions that were pulled and took place within a span of time, one row each, a page at a time by number.
SELECT transaction_id, lead_id
FROM transactions
WHERE origin = 'api' AND pulled_at IS NOT NULL
    AND transaction_date_utc BETWEEN :begin AND :end
    AND transaction_id > :after
ORDER BY transaction_id
LIMIT :count

-- name: scratch
-- What a reconciliation remembers while it goes on, in a temporary SQLite file of its own. Nothing of it stays.
CREATE TABLE seen ( -- a transaction of the export, by its number
    transaction_id TEXT NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL -- of its row
) STRICT, WITHOUT ROWID;

CREATE TABLE findings ( -- what does not agree
    place INTEGER PRIMARY KEY, -- the order in which it was found
    kind TEXT NOT NULL, -- one of Kind
    row INTEGER, -- of the export
    transaction_id TEXT,
    lead_id TEXT,
    what TEXT, -- a column, or the reason
    in_export TEXT,
    pulled TEXT
) STRICT;
CREATE INDEX findings_by_kind ON findings (kind, place);

CREATE TABLE leads ( -- a lead that has transactions which were not pulled, and is not on the roster
    lead_id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- name: digest_seen
-- The digest under which a transaction of the export was seen before. One row, or none.
SELECT digest FROM seen WHERE transaction_id = :transaction_id

-- name: see
INSERT INTO seen (transaction_id, digest) VALUES (:transaction_id, :digest)

-- name: add_finding
INSERT INTO findings (kind, row, transaction_id, lead_id, what, in_export, pulled)
VALUES (:kind, :row, :transaction_id, :lead_id, :what, :in_export, :pulled)

-- name: count_findings
SELECT count(*) FROM findings WHERE kind = :kind

-- name: findings
-- In the order of the export; a limit below zero is none.
SELECT kind, row, transaction_id, lead_id, what, in_export, pulled
FROM findings WHERE kind = :kind ORDER BY place LIMIT :limit

-- name: add_lead
INSERT OR IGNORE INTO leads (lead_id) VALUES (:lead_id)

-- name: count_leads
SELECT count(*) FROM leads

-- name: leads
-- By number.
SELECT lead_id FROM leads ORDER BY length(lead_id), lead_id
