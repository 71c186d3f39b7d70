-- Which of the given refunds of Kartra's (a JSON array) belong to an operation of the same account.
SELECT refund_id FROM operations JOIN scopes USING (scope_id)
WHERE refund_id IN (SELECT value FROM json_each(:refund_ids))
  AND account = (SELECT account FROM scopes WHERE scope_id = :scope_id);
