-- Addresses whose part before the @ stands in the source more than once: Test mode stores them as one.
-- One row per staged lead, in the order of that part.
SELECT staged.row, json_extract(staged.wish, '$.email') AS email
FROM temp.staged
WHERE staged.blocked IS NULL
  AND substr(json_extract(staged.wish, '$.email'), 1, instr(json_extract(staged.wish, '$.email'), '@') - 1) IN (
    SELECT substr(json_extract(wish, '$.email'), 1, instr(json_extract(wish, '$.email'), '@') - 1)
    FROM temp.staged WHERE blocked IS NULL
    GROUP BY 1 HAVING count(DISTINCT json_extract(wish, '$.email')) > 1)
ORDER BY substr(json_extract(staged.wish, '$.email'), 1, instr(json_extract(staged.wish, '$.email'), '@') - 1),
         staged.row
LIMIT 50;
