-- Keys of the operations of the given people (a JSON array of keys and addresses), in every pipeline.
SELECT DISTINCT operations.key AS name FROM operations JOIN json_each(:names) AS person
WHERE operations.lead IN ('email:' || person.value, 'id:' || person.value)
   OR operations.lead IN (SELECT 'id:' || leads.lead_id FROM leads WHERE leads.key = person.value);
