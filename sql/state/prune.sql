-- Settled entries of long ago: the journal of a lead is kept for a while, not for ever.
DELETE FROM outbox WHERE state = 'settled' AND settled_at < :before;
