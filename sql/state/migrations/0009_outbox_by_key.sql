-- What is looked up by its key has been sent: a million planned changes are written faster without an entry here.
DROP INDEX outbox_by_key;
CREATE INDEX outbox_by_key ON outbox (scope_id, key) WHERE state <> 'planned';
