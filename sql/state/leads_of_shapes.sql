-- The next shapes of new leads: the first lead of each, and how many there are.
SELECT new_shapes.leads, staged.row, staged.line, staged.key, staged.digest, staged.wish
FROM temp.new_shapes
JOIN temp.staged ON staged.row = new_shapes.row
WHERE new_shapes.row > :after
ORDER BY new_shapes.row
LIMIT :count;
