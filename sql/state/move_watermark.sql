-- A watermark moves; `full_at` stays where an extract was not a full one.
INSERT INTO watermarks (scope_id, source, highest, full_at, moved_at)
VALUES (:scope_id, :source, :highest, :now, :now)
ON CONFLICT (scope_id) DO UPDATE SET
    source = excluded.source, highest = excluded.highest, moved_at = excluded.moved_at,
    full_at = CASE WHEN :is_full THEN excluded.full_at ELSE watermarks.full_at END;
