-- Leads per source, by the word Kartra has for it, such as api, import or checkout. Deleted leads do not count.
SELECT source, count(*) AS leads
FROM leads WHERE gone_at IS NULL
GROUP BY source
ORDER BY count(*) DESC, {{ by_bytes('source') }}
