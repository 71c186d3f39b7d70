-- A planned change is found in the order of the outbox alone: a million are written faster without an entry in the
-- indexes of what was sent. SQLite takes them only for a query that repeats their condition: hence `state = 'sent'
-- AND state <> 'planned'` where the first half says it all.
DROP INDEX outbox_by_key;
CREATE INDEX outbox_by_key ON outbox (scope_id, key) WHERE state <> 'planned';
DROP INDEX outbox_by_run;
CREATE INDEX outbox_by_run ON outbox (run_id, state) WHERE state <> 'planned';
