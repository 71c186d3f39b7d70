-- The last row of the next so many new leads, null where there are none.
SELECT max(row) AS until
FROM (SELECT row FROM temp.new_leads WHERE row > :after ORDER BY row LIMIT :count);
