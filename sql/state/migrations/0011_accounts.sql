-- Accounts by the credentials they are reached under. `credentials` is a hash of endpoint and API key, never in
-- clear; `account` the hash under which the account was met first, by which scopes, inventories and tables know
-- it for good. So a renewed key, or another spelling of the endpoint, changes nothing of what is known.
CREATE TABLE accounts (
    credentials TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT,
    met_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO accounts (credentials, account, met_at)
SELECT DISTINCT account, account, strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now') FROM scopes;

-- The pipeline file that a scope was last run from: under another name in the same file it is the same pipeline.
ALTER TABLE scopes ADD COLUMN file TEXT;
