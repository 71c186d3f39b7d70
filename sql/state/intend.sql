-- The intent: committed before its call leaves.
UPDATE outbox SET state = 'sent', wish = :wish, change = :change, attempts = attempts + 1, sent_at = :now
WHERE entry_id = :entry_id AND state <> 'settled';
