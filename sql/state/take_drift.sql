-- A snapshot after a look, with which the wish is owed anew. One row; none if the lead was changed since.
UPDATE leads SET snapshot = :snapshot, digest = x''
WHERE scope_id = :scope_id AND key = :key AND changed_at = :changed_at
RETURNING key;
