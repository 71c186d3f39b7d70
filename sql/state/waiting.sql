-- What waits in a pipeline, over all its scopes: entries without an outcome, leads with something unproven,
-- refused wishes; operations among them.
SELECT
    (SELECT count(*) FROM outbox JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND outbox.state = 'sent')
  + (SELECT count(*) FROM operations JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND operations.state = 'sent') AS unknown,
    (SELECT count(*) FROM leads JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND leads.unproven > 0)
  + (SELECT count(*) FROM operations JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND operations.outcome = 'parked') AS parked,
    (SELECT count(*) FROM refusals JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline)
  + (SELECT count(*) FROM operations JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND operations.outcome = 'refused') AS rejected,
    (SELECT count(*) FROM leads JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND leads.removed_at IS NULL AND leads.origin <> 'skipped') AS leads;
