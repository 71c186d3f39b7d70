-- Leads per tag. Deleted leads do not count.
SELECT every_tag.name AS tag_name, count(leads.id) AS leads
FROM (SELECT name FROM tags WHERE gone_at IS NULL UNION SELECT tag_name FROM lead_tags) AS every_tag
LEFT JOIN lead_tags ON lead_tags.tag_name = every_tag.name
LEFT JOIN leads ON leads.id = lead_tags.lead_id AND leads.gone_at IS NULL
GROUP BY every_tag.name
ORDER BY count(leads.id) DESC, {{ by_bytes('every_tag.name') }}
