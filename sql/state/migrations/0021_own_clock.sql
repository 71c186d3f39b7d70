-- 1 where `sent_at` is by the clock of this machine, because no answer had told Kartra's yet: such a time proves
-- nothing against a lead that seems to have joined before it.
ALTER TABLE outbox ADD COLUMN own_clock INTEGER NOT NULL DEFAULT 0;
