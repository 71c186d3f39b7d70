-- The source of one run in temporary tables, and how it differs from what was acknowledged.

-- name: create_staged()!
-- The source of one run, on disk and gone with its connection. One row per record with a sync key; the `record`
-- itself is null where it is among the originals.
CREATE TEMP TABLE staged (
    row INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    key TEXT NOT NULL,
    rank REAL NOT NULL,
    digest BLOB NOT NULL,
    wish TEXT NOT NULL,
    blocked TEXT,
    record TEXT,
    raw BLOB NOT NULL,
    shape BLOB NOT NULL
) STRICT;

-- name: index_blocked()!
-- To count those that are blocked: the table is wide.
CREATE INDEX temp.staged_blocked ON staged (row) WHERE blocked IS NOT NULL;

-- name: create_new_leads()!
-- Staged leads that nothing is known of, set apart: one row per lead, none before they are found.
CREATE TEMP TABLE new_leads (row INTEGER PRIMARY KEY, shape BLOB NOT NULL) STRICT;

-- name: create_new_shapes()!
-- New leads by what they ask for beside their address and the texts of fields: the first of each shape, and how many
-- there are of it.
CREATE TEMP TABLE new_shapes (row INTEGER PRIMARY KEY, leads INTEGER NOT NULL) STRICT;

-- name: create_new_values()!
-- The values of one custom field that new leads are to have (`type`: text or array, then as JSON), in the order of the
-- source, and how many have each.
CREATE TEMP TABLE new_values (
    place INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    leads INTEGER NOT NULL
) STRICT;

-- name: create_originals()!
-- Staged records as they stand in the source, many in a blob (see `pipelines/originals.py`): one row for those from
-- row `first` up to the next.
CREATE TEMP TABLE originals (first INTEGER PRIMARY KEY, packed BLOB NOT NULL) STRICT;

-- name: create_present()!
-- Keys of records that cannot be used: their leads have not gone from the source. One row per key.
CREATE TEMP TABLE present (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- name: create_suppressed()!
-- Addresses that must not be sent, each with the reason. One row per address.
CREATE TEMP TABLE suppressed (address TEXT PRIMARY KEY, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- name: create_unseen()!
-- Hashes that were kept and did not come again, where known records were not staged. One row per hash.
CREATE TEMP TABLE unseen (raw BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

-- name: create_former()!
-- The key that a record had under the former sync key, where that has changed. One row per record.
CREATE TEMP TABLE former (row INTEGER PRIMARY KEY, key TEXT NOT NULL) STRICT;

-- name: clear_former()!
-- The source is read once more.
DELETE FROM temp.former;

-- name: add_former*!
-- Cells of the former key's column.
INSERT INTO temp.former (row, key) VALUES (?, ?) ON CONFLICT (row) DO UPDATE SET key = excluded.key;

-- name: fill_former()!
-- The former key was the address.
INSERT INTO temp.former (row, key) SELECT row, json_extract(wish, '$.email') FROM temp.staged WHERE true
ON CONFLICT (row) DO UPDATE SET key = excluded.key;

-- name: create_holders()!
-- Leads that hold a name which has left the file. One row per lead and name.
CREATE TEMP TABLE holders (
    key TEXT NOT NULL,
    collection TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (key, collection, name)
) STRICT, WITHOUT ROWID;

-- name: drop_staged()!
-- The source is read once more.
DROP TABLE temp.staged;

-- name: clear_originals()!
-- The source is read once more.
DELETE FROM temp.originals;

-- name: clear_present()!
-- The source is read once more.
DELETE FROM temp.present;

-- name: suppress*!
-- One address that must not be sent.
INSERT INTO temp.suppressed (address, reason) VALUES (:address, :reason) ON CONFLICT DO NOTHING;

-- name: add*!
-- One record of the source, in the order of the columns.
INSERT INTO temp.staged (row, line, key, rank, digest, wish, blocked, record, raw, shape)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_originals(first, packed)!
-- Records as they stand in the source, from a row on.
INSERT INTO temp.originals (first, packed) VALUES (:first, :packed);

-- name: add_present*!
-- The key of a record that cannot be used.
INSERT INTO temp.present (key) VALUES (?) ON CONFLICT DO NOTHING;

-- name: originals_of(row)$
-- The blob that holds a row of the source.
SELECT packed FROM temp.originals WHERE first <= :row ORDER BY first DESC LIMIT 1;

-- name: block_suppressed()!
-- Staged records of suppressed addresses are blocked, and speak for their key before all others.
UPDATE temp.staged
SET blocked = coalesce(blocked, suppressed.reason), rank = 9e999
FROM temp.suppressed
WHERE suppressed.address = json_extract(staged.wish, '$.email')
  AND EXISTS (SELECT 1 FROM temp.suppressed);

-- name: index_keys()!
-- Made once the table is filled: that is faster.
CREATE INDEX temp.staged_by_key ON staged (key);

-- name: find_losers()!
-- Every staged record but the one that speaks for its key: the highest rank, then the highest row.
-- One row per loser, with the row that won, in the order of the source: their texts are unpacked by the chunk.
CREATE TEMP TABLE losers AS
SELECT row, line, winner FROM (
    SELECT row, line,
           row_number() OVER place AS position,
           first_value(row) OVER place AS winner
    FROM temp.staged
    WHERE key IN (SELECT key FROM temp.staged GROUP BY key HAVING count(*) > 1)
    WINDOW place AS (PARTITION BY key ORDER BY rank DESC, row DESC)
) AS placed
WHERE position > 1
ORDER BY row;

-- name: count_losers()$
-- How many records do not speak for their key.
SELECT count(*) FROM temp.losers;

-- name: groups(after, count)
-- The records of the next keys that stand in the source more than once, in the order of key and row.
SELECT key, row, wish, blocked
FROM temp.staged
WHERE key IN (SELECT key FROM temp.staged
              WHERE key > :after
              GROUP BY key HAVING count(*) > 1
              ORDER BY key
              LIMIT :count)
ORDER BY key, row;

-- name: merge(wish, digest, shape, blocked, row)!
-- What several records of one key ask for together, on the row of each.
UPDATE temp.staged SET wish = :wish, digest = :digest, shape = :shape, blocked = :blocked WHERE row = :row;

-- name: drop_losers()!
-- What is left is one record per key.
DELETE FROM temp.staged WHERE row IN (SELECT row FROM temp.losers);

-- name: count_blocked()$
-- Staged records that may not be sent.
SELECT count(*) FROM temp.staged WHERE blocked IS NOT NULL;

-- name: count_unchanged(scope_id)^
-- How many staged leads are just as Kartra acknowledged them, and how many are left alone because they
-- were in Kartra before us. Staged ones are few, leads may be millions: hence CROSS JOIN.
SELECT count(*) FILTER (WHERE leads.origin <> 'skipped') AS unchanged,
       count(*) FILTER (WHERE leads.origin = 'skipped') AS skipped
FROM temp.staged
CROSS JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
WHERE EXISTS (SELECT 1 FROM leads WHERE scope_id = :scope_id)
  AND staged.blocked IS NULL AND leads.digest = staged.digest AND leads.removed_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM temp.holders WHERE holders.key = staged.key);

-- name: count_longer(scope_id, collection, name, kept)$
-- How many staged leads, not as Kartra acknowledged them, wish for a longer text.
SELECT count(*)
FROM temp.staged
LEFT JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
WHERE staged.blocked IS NULL AND leads.digest IS NOT staged.digest
  AND length(json_extract(staged.wish, '$.' || :collection || '."' || :name || '"')) > :kept;

-- name: count_new()^
-- How many staged leads are not blocked, and how many of them are new and set apart. By indexes: the table is wide.
SELECT (SELECT count(*) FROM temp.new_leads) AS new,
       (SELECT count(*) FROM temp.staged) - (SELECT count(*) FROM temp.staged WHERE blocked IS NOT NULL)
           AS not_blocked;

-- name: differences(scope_id, after, count)
-- The staged leads that differ from what Kartra acknowledged, one row each, in the order of the source:
-- new ones (no snapshot), changed ones, those that came back after they were removed, and those that hold a name
-- which has left the file.
-- New ones that were set apart are not among them. `refused` is true where this very wish was refused or parked before.
SELECT staged.row, staged.line, staged.key, staged.digest, staged.wish,
       leads.lead_id, leads.origin, leads.snapshot, leads.removed_at IS NOT NULL AS was_removed,
       refusals.digest IS NOT NULL AS refused, refusals.type AS refused_type, refusals.reason AS refused_reason
FROM temp.staged
LEFT JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
LEFT JOIN refusals ON refusals.scope_id = :scope_id AND refusals.key = staged.key
                  AND refusals.digest = staged.digest
WHERE staged.blocked IS NULL AND staged.row NOT IN (SELECT row FROM temp.new_leads)
  AND (leads.key IS NULL OR leads.digest <> staged.digest OR leads.removed_at IS NOT NULL
       OR EXISTS (SELECT 1 FROM temp.holders WHERE holders.key = staged.key))
  AND staged.row > :after
ORDER BY staged.row
LIMIT :count;

-- name: address_moves(scope_id)
-- Known leads that are to get another address, one row each, in the order of the source. Not those whose wish was
-- refused before: they keep the address they have.
SELECT staged.key, staged.row, json_extract(leads.snapshot, '$.email') AS held,
       json_extract(staged.wish, '$.email') AS wanted
FROM temp.staged
JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
WHERE staged.blocked IS NULL AND leads.digest <> staged.digest AND leads.origin <> 'skipped'
  AND json_extract(leads.snapshot, '$.email') <> json_extract(staged.wish, '$.email')
  AND NOT EXISTS (SELECT 1 FROM refusals WHERE refusals.scope_id = leads.scope_id
                  AND refusals.key = staged.key AND refusals.digest = staged.digest)
ORDER BY staged.row;

-- name: address_takers(scope_id, addresses)
-- New leads with one of these addresses, a JSON array, one row each, in the order of the source.
SELECT staged.key, staged.row, json_extract(staged.wish, '$.email') AS wanted
FROM temp.staged
WHERE staged.blocked IS NULL
  AND json_extract(staged.wish, '$.email') IN (SELECT value FROM json_each(:addresses))
  AND NOT EXISTS (SELECT 1 FROM leads WHERE leads.scope_id = :scope_id AND leads.key = staged.key)
ORDER BY staged.row;

-- name: removed(scope_id, after, has_known, count)
-- Leads we gave something to whose contact has gone from the source, one row each, a page at a time by key.
-- Not those with a record that cannot be used but tells its key, and not those whose removal Kartra
-- refused before: an empty digest is that of a removal. Where known records were not staged, those are not
-- gone whose hash came again.
SELECT leads.key, leads.lead_id, leads.origin, leads.snapshot
FROM leads
WHERE leads.scope_id = :scope_id AND leads.key > :after AND leads.removed_at IS NULL AND leads.origin <> 'skipped'
  AND NOT (:has_known AND EXISTS (SELECT 1 FROM raw_hashes
           WHERE raw_hashes.scope_id = leads.scope_id AND raw_hashes.key = leads.key
             AND NOT EXISTS (SELECT 1 FROM temp.unseen WHERE unseen.raw = raw_hashes.raw)))
  AND NOT EXISTS (SELECT 1 FROM temp.staged WHERE staged.key = leads.key)
  AND NOT EXISTS (SELECT 1 FROM temp.present WHERE present.key = leads.key)
  AND NOT EXISTS (SELECT 1 FROM refusals WHERE refusals.scope_id = leads.scope_id
                  AND refusals.key = leads.key AND refusals.digest = x'')
ORDER BY leads.key
LIMIT :count;

-- name: create_others()!
-- Rows of staged leads that a run leaves as they are, because it is about others.
CREATE TEMP TABLE others (row INTEGER PRIMARY KEY) STRICT;

-- name: add_other*!
-- One of them.
INSERT INTO temp.others (row) VALUES (?);

-- name: note_others_present()!
-- Whoever is left has not gone from the source.
INSERT INTO temp.present (key)
SELECT staged.key FROM temp.others JOIN temp.staged ON staged.row = others.row WHERE true ON CONFLICT DO NOTHING;

-- name: drop_others()!
-- From here on they are not staged.
DELETE FROM temp.staged WHERE row IN (SELECT row FROM temp.others);

-- name: count_missing(scope_id, keys)$
-- How many of these keys, a JSON array, are neither in the source nor those of leads that are known.
SELECT count(*) FROM json_each(:keys) AS asked
WHERE NOT EXISTS (SELECT 1 FROM temp.staged WHERE staged.key = asked.value)
  AND NOT EXISTS (SELECT 1 FROM temp.present WHERE present.key = asked.value)
  AND NOT EXISTS (SELECT 1 FROM leads WHERE leads.scope_id = :scope_id AND leads.key = asked.value);

-- name: note_unseen*!
-- A hash that was kept and did not come again.
INSERT INTO temp.unseen (raw) VALUES (?);

-- name: overruled()
-- What staged records ask for and is to be taken off them as well, and how many do.
SELECT json_extract(overruled.value, '$[0]') AS collection, json_extract(overruled.value, '$[1]') AS name,
       count(*) AS leads
FROM temp.staged JOIN json_each(staged.wish, '$.overruled') AS overruled
WHERE staged.blocked IS NULL
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2;

-- name: collapsing()
-- Addresses whose part before the @ stands in the source more than once: Test mode stores them as one.
-- One row per staged lead, in the order of that part.
SELECT staged.row, json_extract(staged.wish, '$.email') AS email
FROM temp.staged
WHERE staged.blocked IS NULL
  AND substr(json_extract(staged.wish, '$.email'), 1, instr(json_extract(staged.wish, '$.email'), '@') - 1) IN (
    SELECT substr(json_extract(wish, '$.email'), 1, instr(json_extract(wish, '$.email'), '@') - 1)
    FROM temp.staged WHERE blocked IS NULL
    GROUP BY 1 HAVING count(DISTINCT json_extract(wish, '$.email')) > 1)
ORDER BY substr(json_extract(staged.wish, '$.email'), 1, instr(json_extract(staged.wish, '$.email'), '@') - 1),
         staged.row
LIMIT 50;
