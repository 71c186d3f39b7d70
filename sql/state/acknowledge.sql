-- The snapshot of a lead after what Kartra acknowledged.
INSERT INTO leads (scope_id, key, lead_id, origin, digest, snapshot, unproven, changed_at, removed_at)
VALUES (:scope_id, :key, :lead_id, :origin, :digest, :snapshot, :unproven, :now, :removed_at)
ON CONFLICT (scope_id, key) DO UPDATE SET
    lead_id = coalesce(excluded.lead_id, leads.lead_id), origin = excluded.origin, digest = excluded.digest,
    snapshot = excluded.snapshot, unproven = excluded.unproven, changed_at = excluded.changed_at, removed_at = excluded.removed_at,
    taken_over = 0;
