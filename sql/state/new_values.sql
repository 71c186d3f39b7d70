-- The values of a custom field that new leads are to have (`type`: text or array, then as JSON), and how many have
-- each. What is blank is not sent to a new lead.
SELECT custom_field.type, custom_field.value, count(*) AS leads
FROM temp.new_leads
JOIN temp.staged ON staged.row = new_leads.row
JOIN json_each(staged.wish, '$.custom_fields') AS custom_field ON custom_field.key = :name
WHERE custom_field.value <> ''
GROUP BY custom_field.type, custom_field.value
ORDER BY min(staged.row);
