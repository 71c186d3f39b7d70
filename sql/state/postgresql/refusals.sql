-- What is not sent until somebody acts, where PostgreSQL has its own words.

-- name: parked(pipeline)
-- What a pipeline does not send until somebody acts, one row per lead and thing, oldest first: effects that
-- may have landed (`unproven`), wishes that Kartra refused for good (`refused`, `what` is null), and wishes that an
-- undo took back (`taken_back`).
SELECT leads.key AS key, scopes.mode, leads.lead_id, 'unproven' AS kind, NULL AS type,
       (effect.value ->> 0) || ' ' || (effect.value ->> 1) AS what,
       NULL AS reason, leads.changed_at AS since
FROM leads JOIN scopes USING (scope_id), json_array_elements((leads.snapshot)::json -> 'unproven') AS effect
WHERE scopes.pipeline = :pipeline AND leads.unproven > 0
UNION ALL
SELECT refusals.key, scopes.mode, leads.lead_id,
       CASE refusals.kind WHEN 'parked' THEN 'taken_back' ELSE 'refused' END, refusals.type, NULL,
       refusals.reason, refusals.refused_at
FROM refusals JOIN scopes USING (scope_id)
LEFT JOIN leads ON leads.scope_id = refusals.scope_id AND leads.key = refusals.key
WHERE scopes.pipeline = :pipeline
ORDER BY since, key;
