-- The outcome of an entry. What was wished is not kept any longer; `done` says what was sent, by names.
UPDATE outbox SET state = 'settled', wish = NULL, change = NULL, settled_at = :now,
                  outcome = :outcome, type = :type, reason = :reason, done = :done
WHERE entry_id = :entry_id;
