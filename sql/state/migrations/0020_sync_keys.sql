-- What made a record and a lead the same person when a scope was last run: `email`, or `column` and its name. Absent
-- of versions before.
ALTER TABLE scopes ADD COLUMN sync_key TEXT;
