-- The call of an intent was proven never to have been executed: the entry is owed again.
UPDATE outbox SET state = 'planned', change = NULL WHERE entry_id = :entry_id AND state = 'sent';
