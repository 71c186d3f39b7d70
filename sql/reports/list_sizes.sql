-- Leads per list: how many are on it now, and how many have left it. Deleted leads do not count; of those in
-- `unvalued` Kartra wrote something that says neither.
SELECT every_list.name AS list_name,
       count(CASE WHEN lead_lists.active = 1 THEN leads.id END) AS subscribed,
       count(CASE WHEN lead_lists.active = 0 THEN leads.id END) AS left_it,
       count(CASE WHEN lead_lists.active IS NULL THEN leads.id END) AS unvalued
FROM (SELECT name FROM lists WHERE gone_at IS NULL UNION SELECT list_name FROM lead_lists) AS every_list
LEFT JOIN lead_lists ON lead_lists.list_name = every_list.name
LEFT JOIN leads ON leads.id = lead_lists.lead_id AND leads.gone_at IS NULL
GROUP BY every_list.name
ORDER BY subscribed DESC, {{ by_bytes('every_list.name') }}
