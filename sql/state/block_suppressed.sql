-- Staged records of suppressed addresses are blocked, and speak for their key before all others.
UPDATE temp.staged
SET blocked = coalesce(blocked, suppressed.reason), rank = 9e999
FROM temp.suppressed
WHERE suppressed.address = json_extract(staged.wish, '$.email')
  AND EXISTS (SELECT 1 FROM temp.suppressed);
