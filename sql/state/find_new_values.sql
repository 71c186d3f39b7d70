-- One row per value. What is blank is not sent to a new lead.
INSERT INTO temp.new_values (type, value, leads)
SELECT custom_field.type, custom_field.value, count(*)
FROM temp.new_leads
JOIN temp.staged ON staged.row = new_leads.row
JOIN json_each(staged.wish, '$.custom_fields') AS custom_field ON custom_field.key = :identifier
WHERE custom_field.value <> ''
GROUP BY custom_field.type, custom_field.value
ORDER BY min(staged.row);
