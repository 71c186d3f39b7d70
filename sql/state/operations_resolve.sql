-- A person's word that a parked operation was carried out.
UPDATE operations SET outcome = 'done', settled_at = :now, reason = 'by a person''s word'
WHERE scope_id = :scope_id AND key = :key AND outcome = 'parked'
RETURNING key;
