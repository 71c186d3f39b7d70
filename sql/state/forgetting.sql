-- Erasing a person, and knowing again who was erased.

-- name: forgotten()
-- The hashes of everybody who was forgotten, one row per name.
SELECT hash FROM forgotten;

-- name: add*!
-- The hash of one name.
INSERT INTO forgotten (hash, forgotten_at) VALUES (:hash, :now) ON CONFLICT DO NOTHING;

-- name: salt()$
-- The key of the hashes.
SELECT salt FROM forgotten_salt;

-- name: keep_salt(salt)!
-- The key of the hashes, made once.
INSERT INTO forgotten_salt ("only", salt) VALUES (1, :salt);

-- name: addresses_of(names)
-- The addresses under which the given keys (a JSON array) stand in this file, in any pipeline. One row each.
SELECT json_extract(snapshot, '$.email') AS name FROM leads
WHERE key IN (SELECT value FROM json_each(:names))
UNION
SELECT given.email FROM (
    SELECT key, json_extract(wish, '$.email') AS email FROM outbox
    UNION
    SELECT key, json_extract(change, '$.email') FROM outbox
    UNION
    SELECT key, json_extract(was, '$.email') FROM outbox
    UNION
    SELECT key, json_extract(became, '$.email') FROM outbox
) AS given
WHERE given.key IN (SELECT value FROM json_each(:names)) AND given.email IS NOT NULL
  AND NOT EXISTS ( -- it was given up, and is somebody else's now
    SELECT 1 FROM leads AS other
    WHERE json_extract(other.snapshot, '$.email') = given.email AND other.key NOT IN (given.email, given.key)
      AND other.key NOT IN (SELECT value FROM json_each(:names))
  );

-- name: plan_addresses_of(names)
-- As `addresses_of`, from the plans that are kept.
SELECT json_extract(change, '$.email') AS name FROM plan_changes
WHERE key IN (SELECT value FROM json_each(:names)) AND json_extract(change, '$.email') IS NOT NULL
UNION
SELECT json_extract(snapshot, '$.email') FROM plan_changes
WHERE key IN (SELECT value FROM json_each(:names)) AND snapshot IS NOT NULL;

-- name: plan_keys_of(names)
-- As `keys_of`, from the plans that are kept.
SELECT key AS name FROM plan_changes
WHERE json_extract(change, '$.email') IN (SELECT value FROM json_each(:names))
   OR json_extract(snapshot, '$.email') IN (SELECT value FROM json_each(:names));

-- name: keys_of(names)
-- The keys that have one of the given addresses (a JSON array) in this file, in any pipeline. One row each.
-- The addresses are those of `addresses_of`, asked the other way round; a view for both would be a part of the
-- schema, which changes by a migration alone.
SELECT key AS name FROM leads
WHERE json_extract(snapshot, '$.email') IN (SELECT value FROM json_each(:names))
UNION
SELECT given.key FROM (
    SELECT key, json_extract(wish, '$.email') AS email FROM outbox
    UNION
    SELECT key, json_extract(change, '$.email') FROM outbox
    UNION
    SELECT key, json_extract(was, '$.email') FROM outbox
    UNION
    SELECT key, json_extract(became, '$.email') FROM outbox
) AS given
WHERE given.email IN (SELECT value FROM json_each(:names))
  AND NOT EXISTS ( -- who had it before is not who has it now
    SELECT 1 FROM leads AS other
    WHERE json_extract(other.snapshot, '$.email') = given.email AND other.key NOT IN (given.email, given.key)
  );

-- name: operation_keys_of(names)
-- Keys of the operations of the given people (a JSON array of keys and addresses), in every pipeline.
SELECT DISTINCT operations.key AS name FROM operations, json_each(:names) AS person
WHERE operations.lead IN ('email:' || person.value, 'id:' || person.value)
   OR operations.lead IN (SELECT 'id:' || leads.lead_id FROM leads WHERE leads.key = person.value);

-- name: forget_leads(names)!
-- Everything of the given keys (a JSON array) in this table, in every pipeline.
DELETE FROM leads WHERE key IN (SELECT value FROM json_each(:names));

-- name: forget_outbox(names)!
-- Everything of the given keys (a JSON array) in this table, in every pipeline.
DELETE FROM outbox WHERE key IN (SELECT value FROM json_each(:names));

-- name: forget_refusals(names)!
-- Everything of the given keys (a JSON array) in this table, in every pipeline.
DELETE FROM refusals WHERE key IN (SELECT value FROM json_each(:names));

-- name: forget_plans(names)!
-- Everything of the given keys (a JSON array) in this table: the plan does not hold any more.
DELETE FROM plan_changes WHERE key IN (SELECT value FROM json_each(:names));

-- name: forget_imports(names)!
-- Everything of the given keys (a JSON array) in this table, in every pipeline.
DELETE FROM imports WHERE key IN (SELECT value FROM json_each(:names));

-- name: forget_operations(names)!
-- Every operation with one of the given keys (a JSON array), in every pipeline.
DELETE FROM operations WHERE key IN (SELECT value FROM json_each(:names));

-- name: forget_barred(names)!
-- Operations that did not get through, with one of the given keys (a JSON array), in every pipeline.
DELETE FROM barred_operations WHERE key IN (SELECT value FROM json_each(:names));

-- name: forget_rejects_of(names)!
-- Every reject of the given keys (a JSON array), in every pipeline.
DELETE FROM rejects WHERE key IN (SELECT value FROM json_each(:names));

-- name: records()
-- The texts of all rejects, one row each.
SELECT rowid AS reject_id, record FROM rejects WHERE record <> '';

-- name: forget_reject*!
-- One reject.
DELETE FROM rejects WHERE rowid = :reject_id;
