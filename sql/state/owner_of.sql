-- The keys of leads with a number of Kartra's, or with an address while their number is not known.
SELECT key FROM leads INDEXED BY leads_by_id WHERE scope_id = :scope_id AND lead_id = :lead_id
UNION ALL
SELECT key FROM leads INDEXED BY leads_by_address
WHERE scope_id = :scope_id AND lead_id IS NULL AND json_extract(snapshot, '$.email') = :email;
