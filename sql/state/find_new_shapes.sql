-- One row per shape of the leads that were set apart.
INSERT INTO temp.new_shapes (row, leads)
SELECT min(row), count(*) FROM temp.new_leads GROUP BY shape ORDER BY min(row);
