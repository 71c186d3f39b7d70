-- A row for each lead of the old account that may be mailed, with the names of its tags and lists.
SELECT
    leads.email, leads.first_name, leads.last_name, leads.city, leads.country,
    (SELECT field_value FROM lead_custom_fields
     WHERE lead_id = leads.id AND field_identifier = 'note') AS note,
    (SELECT group_concat(tag_name, '|') FROM lead_tags WHERE lead_id = leads.id) AS tags,
    (SELECT group_concat(list_name, '|') FROM lead_lists WHERE lead_id = leads.id AND active = 1) AS lists,
    EXISTS (SELECT 1 FROM lead_lists WHERE lead_id = leads.id AND active = 1) AS is_subscribed
FROM leads
WHERE leads.gone_at IS NULL AND coalesce(leads.blacklisted, 0) = 0
ORDER BY leads.id
