-- What is not sent until somebody acts: refused wishes, and what Kartra refuses whoever it is for.

-- name: keep(scope_id, key, digest, kind, type, reason, cause, now)!
-- A wish that is not to be sent again.
INSERT INTO refusals (scope_id, key, digest, kind, type, reason, cause, refused_at)
VALUES (:scope_id, :key, :digest, :kind, :type, :reason, :cause, :now)
ON CONFLICT (scope_id, key) DO UPDATE SET
    digest = excluded.digest, kind = excluded.kind, type = excluded.type, reason = excluded.reason,
    cause = excluded.cause, refused_at = excluded.refused_at;

-- name: hold_taken_back(scope_id, key, digest, reason, cause, now)!
-- A wish that was taken back from a lead: not sent again while it is the same.
INSERT INTO refusals (scope_id, key, digest, kind, type, reason, cause, refused_at)
VALUES (:scope_id, :key, :digest, 'parked', NULL, :reason, :cause, :now)
ON CONFLICT (scope_id, key) DO UPDATE SET
    digest = excluded.digest, kind = excluded.kind, type = excluded.type, reason = excluded.reason,
    cause = excluded.cause, refused_at = excluded.refused_at;

-- name: count_by_cause(scope_id, cause)$
-- How many wishes are not sent because of it.
SELECT count(*) FROM refusals WHERE scope_id = :scope_id AND cause = :cause;

-- name: drop(scope_id, key)!
-- The wish of a key may be sent again.
DELETE FROM refusals WHERE scope_id = :scope_id AND key = :key;

-- name: of_key(pipeline, key)
-- Wishes of a key that are not sent again, one row per account and mode.
SELECT digest, type, reason FROM refusals JOIN scopes USING (scope_id)
WHERE pipeline = :pipeline AND key = :key;

-- name: parked(pipeline)
-- What a pipeline does not send until somebody acts, one row per lead and thing, oldest first: effects that
-- may have landed (`unproven`), wishes that Kartra refused for good (`refused`, `what` is null), and wishes that an
-- undo took back (`taken_back`).
SELECT leads.key AS key, scopes.mode, leads.lead_id, 'unproven' AS kind, NULL AS type,
       json_extract(effect.value, '$[0]') || ' ' || json_extract(effect.value, '$[1]') AS what,
       NULL AS reason, leads.changed_at AS since
FROM leads JOIN scopes USING (scope_id), json_each(leads.snapshot, '$.unproven') AS effect
WHERE scopes.pipeline = :pipeline AND leads.unproven > 0
UNION ALL
SELECT refusals.key, scopes.mode, leads.lead_id,
       CASE refusals.kind WHEN 'parked' THEN 'taken_back' ELSE 'refused' END, refusals.type, NULL,
       refusals.reason, refusals.refused_at
FROM refusals JOIN scopes USING (scope_id)
LEFT JOIN leads ON leads.scope_id = refusals.scope_id AND leads.key = refusals.key
WHERE scopes.pipeline = :pipeline
ORDER BY since, key;

-- name: breakers(scope_id)
-- What Kartra refuses whoever it is for, one row per command and label.
SELECT cmd, label, type FROM breakers WHERE scope_id = :scope_id;

-- name: keep_breaker(scope_id, cmd, label, type, now)!
-- From now on it is not asked for any more.
INSERT INTO breakers (scope_id, cmd, label, type, opened_at) VALUES (:scope_id, :cmd, :label, :type, :now)
ON CONFLICT (scope_id, cmd, label) DO UPDATE SET type = excluded.type, opened_at = excluded.opened_at;

-- name: drop_breaker(scope_id, cmd, label)!
-- It works again.
DELETE FROM breakers WHERE scope_id = :scope_id AND cmd = :cmd AND label = :label;

-- name: drop_by_cause(scope_id, cause)!
-- What was refused because of it is sent again.
DELETE FROM refusals WHERE scope_id = :scope_id AND cause = :cause;

-- name: held_back(pipeline)
-- What Kartra refuses to a pipeline whoever it is for.
SELECT mode, cmd, label, type, opened_at FROM breakers JOIN scopes USING (scope_id)
WHERE pipeline = :pipeline ORDER BY cmd, label;
