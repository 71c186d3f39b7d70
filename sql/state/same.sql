-- A wish that asks for nothing new: its digest is taken over, nothing is sent.
UPDATE leads SET digest = :digest, removed_at = NULL WHERE scope_id = :scope_id AND key = :key;
