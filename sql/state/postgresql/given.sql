-- What the pipeline file gave to every lead, where PostgreSQL has its own words.

-- name: counts(scope_id, path)
-- How many leads hold each name that we gave, at that path of a snapshot.
SELECT held.value AS name, count(*) AS leads
FROM leads, json_array_elements_text((leads.snapshot)::json -> substr(:path, 3)) AS held
WHERE leads.scope_id = :scope_id AND leads.origin <> 'skipped'
GROUP BY held.value ORDER BY count(*) DESC, held.value COLLATE "C";

-- name: find_holders(scope_id, collection, path, names)!
-- Those of some names, a JSON array.
INSERT INTO temp.holders (key, collection, name)
SELECT leads.key, :collection, held.value
FROM leads, json_array_elements_text((leads.snapshot)::json -> substr(:path, 3)) AS held
WHERE leads.scope_id = :scope_id AND leads.origin <> 'skipped'
  AND held.value IN (SELECT value FROM json_each(:names))
ON CONFLICT DO NOTHING;

-- name: left(scope_id)
-- What is still held by somebody who is not just as their record asks, one row per name.
SELECT DISTINCT holders.collection, holders.name
FROM temp.holders
JOIN leads ON leads.scope_id = :scope_id AND leads.key = holders.key
WHERE EXISTS (SELECT 1 FROM json_array_elements_text((leads.snapshot)::json -> holders.collection) AS held
              WHERE held.value = holders.name)
  AND NOT (leads.digest <> x'' AND EXISTS (SELECT 1 FROM temp.staged
                                           WHERE staged.key = leads.key AND staged.digest = leads.digest));
