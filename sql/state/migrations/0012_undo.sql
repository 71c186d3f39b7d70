-- What a run changed, so that it can be taken back. `was` is the snapshot of the lead when the first call of the entry
-- left, `was_id` its number in Kartra; both null for a lead that Kartra did not have. `became` is the snapshot that the
-- entry ended with, kept when something else changes it: until then it is that of `leads`. `made` says that the
-- entry created the lead, or met it in Kartra. `undoes` is the run that the entry takes back.
ALTER TABLE outbox ADD COLUMN was TEXT;
ALTER TABLE outbox ADD COLUMN was_id TEXT;
ALTER TABLE outbox ADD COLUMN became TEXT;
ALTER TABLE outbox ADD COLUMN made TEXT CHECK (made IN ('created', 'adopted'));
ALTER TABLE outbox ADD COLUMN undoes TEXT;

CREATE TRIGGER became_of_entries AFTER UPDATE OF snapshot ON leads
WHEN old.snapshot <> new.snapshot
BEGIN
    UPDATE outbox SET became = old.snapshot
    WHERE scope_id = old.scope_id AND key = old.key AND state = 'settled' AND state <> 'planned' AND became IS NULL;
END;

-- Whether a run was journaled in this way, what kind of work it was (empty: a run), and which run it takes back.
ALTER TABLE runs ADD COLUMN journaled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN verb TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN undoes TEXT;
