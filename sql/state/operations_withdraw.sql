-- A try that was proven never to have been carried out: the key is as if nobody had asked.
DELETE FROM operations WHERE scope_id = :scope_id AND key = :key AND state = 'sent';
