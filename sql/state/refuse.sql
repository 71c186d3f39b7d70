-- A wish that is not to be sent again.
INSERT INTO refusals (scope_id, key, digest, kind, type, reason, cause, refused_at)
VALUES (:scope_id, :key, :digest, :kind, :type, :reason, :cause, :now)
ON CONFLICT (scope_id, key) DO UPDATE SET
    digest = excluded.digest, kind = excluded.kind, type = excluded.type, reason = excluded.reason,
    cause = excluded.cause, refused_at = excluded.refused_at;
