-- A changed sync key: what is known under keys of the former one moves to those of the new one, without a call.

-- name: sync_key(scope_id)$
-- The key of the last run.
SELECT sync_key FROM scopes WHERE scope_id = :scope_id;

-- name: keep_sync_key(scope_id, sync_key)!
-- From here on keys are of this.
UPDATE scopes SET sync_key = :sync_key WHERE scope_id = :scope_id AND sync_key IS NOT :sync_key;

-- name: sample(scope_id)
-- Some leads, to tell what their keys are: one row each.
SELECT key, json_extract(snapshot, '$.email') AS email FROM leads WHERE scope_id = :scope_id LIMIT 50;

-- name: has_former(scope_id, first, last)$
-- Whether leads are known that the source did not have when the key changed: a range of their keys.
SELECT 1 FROM leads WHERE scope_id = :scope_id AND key >= :first AND key < :last LIMIT 1;

-- name: create_known()!
-- What is known under keys of the former sync key: leads, and keys of which only a refusal or an open call is known.
CREATE TEMP TABLE known_keys (
    key TEXT PRIMARY KEY,
    address TEXT,
    counts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- name: create_pairs()!
-- Keys that are one person's: the former one, the new one, the row that says so.
CREATE TEMP TABLE pairs (
    former TEXT NOT NULL,
    key TEXT NOT NULL,
    row INTEGER NOT NULL,
    PRIMARY KEY (former, key)
) STRICT, WITHOUT ROWID;

-- name: drop_known()!
-- Done.
DROP TABLE temp.known_keys;

-- name: drop_pairs()!
-- Done.
DROP TABLE temp.pairs;

-- name: find_known(scope_id, first, last)!
-- All leads of a scope whose keys lie in a range. Those that left the source are none to be missed.
INSERT INTO temp.known_keys (key, address, counts)
SELECT key, json_extract(snapshot, '$.email'), removed_at IS NULL AND origin <> 'skipped'
FROM leads WHERE scope_id = :scope_id AND key >= :first AND key < :last;

-- name: find_others(scope_id)!
-- Keys without a lead.
INSERT INTO temp.known_keys (key, address, counts)
SELECT key, NULL, false FROM refusals WHERE scope_id = :scope_id
UNION SELECT key, NULL, false FROM outbox WHERE scope_id = :scope_id AND state = 'sent' AND state <> 'planned'
ON CONFLICT DO NOTHING;

-- name: index_addresses()!
-- Made once the table is filled.
CREATE INDEX temp.known_by_address ON known_keys (address);

-- name: pair_by_key()!
-- By the former key, which the records still have.
INSERT INTO temp.pairs (former, key, row)
SELECT known_keys.key, staged.key, staged.row
FROM temp.staged JOIN temp.former ON former.row = staged.row JOIN temp.known_keys ON known_keys.key = former.key
WHERE true ON CONFLICT DO NOTHING;

-- name: pair_by_address()!
-- By the address, where neither has its pair yet. Who left the source counts where nobody else has the address.
INSERT INTO temp.pairs (former, key, row)
SELECT known_keys.key, staged.key, staged.row
FROM temp.staged JOIN temp.known_keys ON known_keys.address = json_extract(staged.wish, '$.email')
WHERE staged.row NOT IN (SELECT row FROM temp.pairs)
  AND known_keys.key NOT IN (SELECT former FROM temp.pairs)
  AND (known_keys.counts OR NOT EXISTS (SELECT 1 FROM temp.known_keys AS other
                                        WHERE other.address = known_keys.address AND other.counts))
ON CONFLICT DO NOTHING;

-- name: are_all_equal()$
-- Whether every pair that was found has one key, as where only the header of a column was renamed; null without any.
SELECT min(CASE WHEN former = key THEN 1 ELSE 0 END) FROM temp.pairs;

-- name: pair_by_same_key()!
-- The numbering is the same: so is who has no other pair.
INSERT INTO temp.pairs (former, key, row)
SELECT known_keys.key, staged.key, staged.row
FROM temp.staged JOIN temp.known_keys ON known_keys.key = staged.key
WHERE staged.row NOT IN (SELECT row FROM temp.pairs)
  AND known_keys.key NOT IN (SELECT former FROM temp.pairs)
ON CONFLICT DO NOTHING;

-- name: drop_known_elsewhere(scope_id)!
-- Records whose new key is known already have their lead.
DELETE FROM temp.pairs
WHERE former <> key
  AND EXISTS (SELECT 1 FROM leads WHERE leads.scope_id = :scope_id AND leads.key = pairs.key);

-- name: doubtful()
-- Rows that are one of several, of one lead or for one record.
SELECT DISTINCT row FROM temp.pairs
WHERE former IN (SELECT former FROM temp.pairs GROUP BY former HAVING count(*) > 1)
   OR key IN (SELECT key FROM temp.pairs GROUP BY key HAVING count(*) > 1)
ORDER BY row LIMIT 10;

-- name: drop_doubtful()!
-- They are refused as any other lead with an address that another has.
DELETE FROM temp.pairs
WHERE former IN (SELECT former FROM temp.pairs GROUP BY former HAVING count(*) > 1)
   OR key IN (SELECT key FROM temp.pairs GROUP BY key HAVING count(*) > 1);

-- name: lost()
-- Rows of leads that are known apart and have the new key of another record: only one of them speaks for it.
SELECT losers.row FROM temp.losers
JOIN temp.former ON former.row = losers.row
JOIN temp.known_keys ON known_keys.key = former.key
WHERE known_keys.counts AND known_keys.key NOT IN (SELECT former FROM temp.pairs)
ORDER BY losers.row LIMIT 10;

-- name: unpaired(is_address)^
-- How many leads have no record, how many records have no lead that may be somebody's whose former key is not told,
-- and how many leads are found again.
SELECT (SELECT count(*) FROM temp.known_keys
        WHERE counts AND key NOT IN (SELECT former FROM temp.pairs)) AS leads,
       (SELECT count(*) FROM temp.staged
        WHERE blocked IS NULL AND row NOT IN (SELECT row FROM temp.pairs)
          AND (:is_address OR row NOT IN (SELECT row FROM temp.former WHERE key <> ''))) AS records,
       (SELECT count(*) FROM temp.pairs) AS pairs;

-- name: pair_rest(prefix)!
-- Who has no record keeps a key that no record can have.
INSERT INTO temp.pairs (former, key, row)
SELECT key, :prefix || key, 0 FROM temp.known_keys WHERE key NOT IN (SELECT former FROM temp.pairs);

-- name: forget_hashes(scope_id)!
-- Records are mapped anew.
DELETE FROM raw_hashes
WHERE scope_id = :scope_id AND key IN (SELECT former FROM temp.pairs WHERE former <> key);

-- name: forget_looks(scope_id)!
-- Leads are looked at anew.
DELETE FROM drift WHERE scope_id = :scope_id AND key IN (SELECT former FROM temp.pairs WHERE former <> key);

-- name: move_leads(scope_id)!
-- To keys that none has yet; `settle_leads` follows.
UPDATE leads SET key = char(1) || pairs.key FROM temp.pairs
WHERE leads.scope_id = :scope_id AND leads.key = pairs.former AND pairs.former <> pairs.key;

-- name: settle_leads(scope_id)!
-- To their new keys.
UPDATE leads SET key = substr(key, 2) WHERE scope_id = :scope_id AND key >= char(1) AND key < char(2);

-- name: move_refusals(scope_id)!
-- As `move_leads`.
UPDATE refusals SET key = char(1) || pairs.key FROM temp.pairs
WHERE refusals.scope_id = :scope_id AND refusals.key = pairs.former AND pairs.former <> pairs.key;

-- name: settle_refusals(scope_id)!
-- To their new keys.
UPDATE refusals SET key = substr(key, 2) WHERE scope_id = :scope_id AND key >= char(1) AND key < char(2);

-- name: move_imports(scope_id)!
-- As `move_leads`.
UPDATE imports SET key = char(1) || pairs.key FROM temp.pairs
WHERE imports.scope_id = :scope_id AND imports.key = pairs.former AND pairs.former <> pairs.key;

-- name: settle_imports(scope_id)!
-- To their new keys.
UPDATE imports SET key = substr(key, 2) WHERE scope_id = :scope_id AND key >= char(1) AND key < char(2);

-- name: move_outbox(scope_id)!
-- The journal of a lead, and its open calls.
UPDATE outbox SET key = pairs.key FROM temp.pairs
WHERE outbox.scope_id = :scope_id AND outbox.key = pairs.former AND pairs.former <> pairs.key
  AND outbox.state <> 'planned';

-- name: move_holders()!
-- As `move_leads`, of who holds what has left the file.
UPDATE temp.holders SET key = char(1) || pairs.key FROM temp.pairs
WHERE holders.key = pairs.former AND pairs.former <> pairs.key;

-- name: replace_holders()!
-- Who has such a key already makes room.
DELETE FROM temp.holders
WHERE EXISTS (SELECT 1 FROM temp.holders AS moved
              WHERE moved.key = char(1) || holders.key AND moved.collection = holders.collection
                AND moved.name = holders.name);

-- name: settle_holders()!
-- To their new keys.
UPDATE temp.holders SET key = substr(key, 2) WHERE key >= char(1) AND key < char(2);
