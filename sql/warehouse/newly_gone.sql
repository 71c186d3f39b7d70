-- Leads that are not marked as gone, by lookups of the roster. One row per lead.
SELECT DISTINCT lead_roster.lead_id
FROM lead_roster JOIN leads ON leads.id = lead_roster.lead_id
WHERE lead_roster.lookup IN :lookups AND leads.gone_at IS NULL
