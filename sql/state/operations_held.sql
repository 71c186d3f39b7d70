-- What the operations act on that are parked or have no outcome: nothing else is done to it meanwhile.
SELECT DISTINCT lead, target FROM operations
WHERE scope_id = :scope_id AND (state = 'sent' OR outcome = 'parked');
