-- Staged leads that nothing is known of, where PostgreSQL has its own words.

-- name: find_values(identifier)!
-- One row per value. What is blank is not sent to a new lead.
INSERT INTO temp.new_values (type, value, leads)
SELECT CASE json_typeof(field.value) WHEN 'string' THEN 'text' ELSE json_typeof(field.value) END,
       field.value #>> '{}', count(*)
FROM temp.new_leads
JOIN temp.staged ON staged.row = new_leads.row,
json_each((staged.wish)::json -> 'custom_fields') AS field
WHERE field.key = :identifier AND field.value #>> '{}' <> ''
GROUP BY 1, 2
ORDER BY min(staged.row);
