-- New leads by what they ask for beside their address and the texts of fields: how many there are, and the first.
SELECT counted.leads, staged.row, staged.line, staged.key, staged.digest, staged.wish
FROM (SELECT min(row) AS row, count(*) AS leads FROM temp.new_leads GROUP BY shape) AS counted
JOIN temp.staged ON staged.row = counted.row
ORDER BY staged.row;
