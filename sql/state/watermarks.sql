-- Up to where an incremental source was read.

-- name: get(scope_id)^
-- Of one scope.
SELECT source, highest, full_at FROM watermarks WHERE scope_id = :scope_id;

-- name: move(scope_id, source, highest, now, is_full)!
-- A watermark moves; `full_at` stays where an extract was not a full one.
INSERT INTO watermarks (scope_id, source, highest, full_at, moved_at)
VALUES (:scope_id, :source, :highest, :now, :now)
ON CONFLICT (scope_id) DO UPDATE SET
    source = excluded.source, highest = excluded.highest, moved_at = excluded.moved_at,
    full_at = CASE WHEN :is_full THEN excluded.full_at ELSE watermarks.full_at END;
