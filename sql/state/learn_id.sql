-- A lead's number in Kartra, where it is not known yet and no other lead has it.
UPDATE leads SET lead_id = :lead_id
WHERE scope_id = :scope_id AND key = :key AND lead_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM leads AS other
                  WHERE other.scope_id = :scope_id AND other.lead_id = :lead_id);
