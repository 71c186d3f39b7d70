-- Taking over leads that Kartra has already, without sending them.

-- name: create_adopting()!
-- What stands between each staged lead and taking it over, one row per key.
CREATE TEMP TABLE adopting (
    key TEXT PRIMARY KEY,
    row INTEGER NOT NULL,
    standing TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- name: create_sharing()!
-- Staged records whose address another one speaks for. One row per record.
CREATE TEMP TABLE sharing (row INTEGER PRIMARY KEY) STRICT;

-- name: find_sharing(scope_id)!
-- Staged records whose address is that of another lead or stands in an earlier record. One row per record.
INSERT INTO temp.sharing
SELECT row FROM (
    SELECT row, key, first_value(key) OVER (PARTITION BY email ORDER BY row, key) AS owner
    FROM (SELECT 0 AS row, key, json_extract(snapshot, '$.email') AS email FROM leads WHERE scope_id = :scope_id
          UNION ALL
          SELECT row, key, json_extract(wish, '$.email') FROM temp.staged WHERE blocked IS NULL) AS every) AS owned
WHERE row > 0 AND owner <> key;

-- name: decide(scope_id, only_imported)!
-- How each staged lead stands, in the order of key. `known`: just as it was acknowledged. `changed`: known, and
-- its record asks for something else. `unknown`: a call for it has no outcome yet. `shared`: its address is
-- that of another record. `not_imported`: `export-import` did not write it, or not as it is now. Else `new`.
-- `state <> 'planned'` is there for the partial index: see migration 0009.
INSERT INTO temp.adopting (key, row, standing)
SELECT staged.key, staged.row, CASE
    WHEN leads.key IS NOT NULL AND leads.digest = staged.digest AND leads.removed_at IS NULL THEN 'known'
    WHEN leads.key IS NOT NULL THEN 'changed'
    WHEN EXISTS (SELECT 1 FROM outbox WHERE outbox.scope_id = :scope_id AND outbox.key = staged.key
                 AND outbox.state = 'sent' AND outbox.state <> 'planned') THEN 'unknown'
    WHEN EXISTS (SELECT 1 FROM temp.sharing WHERE sharing.row = staged.row) THEN 'shared'
    WHEN :only_imported AND NOT EXISTS (SELECT 1 FROM imports WHERE imports.scope_id = :scope_id
                                        AND imports.key = staged.key AND imports.digest = staged.digest)
        THEN 'not_imported'
    ELSE 'new' END
FROM temp.staged
LEFT JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
WHERE staged.blocked IS NULL
ORDER BY staged.key;

-- name: standings()
-- How the staged leads stand, counted.
SELECT standing, count(*) AS leads FROM temp.adopting GROUP BY standing;

-- name: range(after, count)$
-- The last of the next so many keys. One row; null where none is left.
SELECT max(key) AS until FROM (SELECT key FROM temp.adopting WHERE key > :after ORDER BY key LIMIT :count) AS next;

-- name: take_over(scope_id, owes_sequences, owes_points, owes_calendars, now, after, until)!
-- New leads of a range of keys, taken over: the snapshot is the wish, but for what is still owed.
INSERT INTO leads (scope_id, key, origin, digest, snapshot, changed_at, taken_over)
SELECT :scope_id, staged.key, 'adopted',
       CASE WHEN (:owes_sequences AND json_array_length(staged.wish, '$.sequences') > 0)
              OR (:owes_points AND json_extract(staged.wish, '$.points[0]') > 0)
              OR (:owes_calendars AND json_extract(staged.wish, '$.calendars') IS NOT NULL)
            THEN x'' ELSE staged.digest END,
       json_object(
           'calendars', (SELECT json_group_array(json_extract(value, '$[0]') || ': ' || json_extract(value, '$[1]'))
                         FROM json_each(staged.wish, '$.calendars') WHERE NOT :owes_calendars),
           'custom_fields', json_extract(staged.wish, '$.custom_fields'),
           'email', json_extract(staged.wish, '$.email'),
           'fields', json_extract(staged.wish, '$.fields'),
           'kept', json_array(),
           'lists', json_extract(staged.wish, '$.lists'),
           'points', CASE WHEN :owes_points THEN 0 ELSE coalesce(json_extract(staged.wish, '$.points[0]'), 0) END,
           'sequences', (SELECT json_group_array(json_extract(value, '$[0]'))
                         FROM json_each(staged.wish, '$.sequences') WHERE NOT :owes_sequences),
           'tags', json_extract(staged.wish, '$.tags'),
           'unwanted', json(coalesce(json_extract(staged.wish, '$.unwanted'), '[]'))),
       :now, 1
FROM temp.adopting JOIN temp.staged ON staged.row = adopting.row
WHERE adopting.standing = 'new' AND adopting.key > :after AND adopting.key <= :until
ORDER BY adopting.key
ON CONFLICT (scope_id, key) DO NOTHING;

-- name: drop_refusals(scope_id, after, until)!
-- What was refused of leads in a range of keys that are taken over now is settled with that.
DELETE FROM refusals
WHERE scope_id = :scope_id AND key > :after AND key <= :until
  AND EXISTS (SELECT 1 FROM temp.adopting WHERE adopting.key = refusals.key AND adopting.standing = 'new');

-- name: count(scope_id)$
-- Leads that were taken over and never sent to.
SELECT count(*) FROM leads WHERE scope_id = :scope_id AND taken_over = true AND removed_at IS NULL;

-- name: adopted(scope_id, after, count)
-- Leads that were taken over and never sent to, a page at a time by key, with their row in the source.
SELECT leads.key, adopting.row
FROM leads LEFT JOIN temp.adopting ON adopting.key = leads.key
WHERE leads.scope_id = :scope_id AND leads.taken_over = true AND leads.removed_at IS NULL AND leads.key > :after
ORDER BY leads.key
LIMIT :count;

-- name: give_up(scope_id, key)!
-- A lead that was taken over is not in Kartra: it is new again.
DELETE FROM leads WHERE scope_id = :scope_id AND key = :key AND taken_over = true;

-- name: give_up_all(scope_id)!
-- Every lead that was taken over and never sent to.
DELETE FROM leads WHERE scope_id = :scope_id AND taken_over = true;
