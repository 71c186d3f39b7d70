-- What the pipeline file gave to every lead, and who holds what has left it.

-- name: names(scope_id)
-- What files gave to all, one row each.
SELECT collection, name FROM given_to_all WHERE scope_id = :scope_id;

-- name: keep*!
-- A name that the file gives to all now; an empty one: that it has a mapping of the collection.
INSERT INTO given_to_all (scope_id, collection, name) VALUES (:scope_id, :collection, :name) ON CONFLICT DO NOTHING;

-- name: drop*!
-- Nobody has it any more who should not.
DELETE FROM given_to_all WHERE scope_id = :scope_id AND collection = :collection AND name = :name;

-- name: counts(scope_id, path)
-- How many leads hold each name that we gave, at that path of a snapshot.
SELECT held.value AS name, count(*) AS leads
FROM leads JOIN json_each(leads.snapshot, :path) AS held
WHERE leads.scope_id = :scope_id AND leads.origin <> 'skipped'
GROUP BY held.value ORDER BY count(*) DESC, held.value;

-- name: find_holders(scope_id, collection, path, names)!
-- Those of some names, a JSON array.
INSERT INTO temp.holders (key, collection, name)
SELECT leads.key, :collection, held.value
FROM leads JOIN json_each(leads.snapshot, :path) AS held
WHERE leads.scope_id = :scope_id AND leads.origin <> 'skipped'
  AND held.value IN (SELECT value FROM json_each(:names))
ON CONFLICT DO NOTHING;

-- name: held()
-- How many leads hold each.
SELECT collection, name, count(*) AS leads FROM temp.holders GROUP BY 1, 2 ORDER BY 1, 2;

-- name: raw_hashes_of_holders(scope_id)
-- The hashes kept for them: their records have to be looked at. One row each.
SELECT raw_hashes.raw
FROM (SELECT DISTINCT key FROM temp.holders) AS holder
CROSS JOIN raw_hashes ON raw_hashes.scope_id = :scope_id AND raw_hashes.key = holder.key;

-- name: without_record(scope_id, after, has_known, refused, count)
-- Holders without a record that may be sent, one row each, a page at a time by key: gone from the source, or held
-- back. Not those with a record that cannot be used but tells its key, nor those whose taking back Kartra refused
-- before (by the digest that such a refusal has).
SELECT leads.key, leads.lead_id, leads.origin, leads.snapshot
FROM (SELECT DISTINCT key FROM temp.holders WHERE key > :after) AS holder
CROSS JOIN leads ON leads.scope_id = :scope_id AND leads.key = holder.key
WHERE NOT (:has_known AND EXISTS (SELECT 1 FROM raw_hashes
           WHERE raw_hashes.scope_id = leads.scope_id AND raw_hashes.key = leads.key
             AND NOT EXISTS (SELECT 1 FROM temp.unseen WHERE unseen.raw = raw_hashes.raw)))
  AND NOT EXISTS (SELECT 1 FROM temp.staged WHERE staged.key = leads.key AND staged.blocked IS NULL)
  AND NOT EXISTS (SELECT 1 FROM temp.present WHERE present.key = leads.key)
  AND NOT EXISTS (SELECT 1 FROM refusals WHERE refusals.scope_id = leads.scope_id
                  AND refusals.key = leads.key AND refusals.digest = :refused)
ORDER BY leads.key
LIMIT :count;

-- name: left(scope_id)
-- What is still held by somebody who is not just as their record asks, one row per name.
SELECT DISTINCT holders.collection, holders.name
FROM temp.holders
CROSS JOIN leads ON leads.scope_id = :scope_id AND leads.key = holders.key
WHERE EXISTS (SELECT 1 FROM json_each(leads.snapshot, '$.' || holders.collection) AS held
              WHERE held.value = holders.name)
  AND NOT (leads.digest <> x'' AND EXISTS (SELECT 1 FROM temp.staged
                                           WHERE staged.key = leads.key AND staged.digest = leads.digest));
