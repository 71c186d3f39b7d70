-- What was refused of leads in a range of keys that are taken over now is settled with that.
DELETE FROM refusals
WHERE scope_id = :scope_id AND key > :after AND key <= :until
  AND EXISTS (SELECT 1 FROM temp.adopting WHERE adopting.key = refusals.key AND adopting.standing = 'new');
