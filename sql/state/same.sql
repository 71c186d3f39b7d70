-- A wish that asks for nothing new: its digest is taken over, nothing is sent. What it no longer asks for is
-- forgotten in the snapshot.
UPDATE leads SET digest = :digest, snapshot = :snapshot, removed_at = NULL
WHERE scope_id = :scope_id AND key = :key;
