-- The key of a record that did not become a lead, where it could be read: so it is known again in the next run, and
-- told apart from one that is new among the rejects.
ALTER TABLE rejects ADD COLUMN key TEXT;
