-- What is parked or was refused may be sent again.
DELETE FROM operations
WHERE scope_id = :scope_id AND key = :key AND outcome IN ('parked', 'refused')
RETURNING key;
