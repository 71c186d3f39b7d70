-- Whose leads are pulled, how fresh each is, and the pulls themselves.

CREATE TABLE IF NOT EXISTS lead_roster (
    lookup {{ name }} NOT NULL, -- how Kartra is asked: id:<number> or email:<address>
    lead_id {{ id }}, -- of leads, once Kartra has told
    status {{ name }} NOT NULL, -- waiting, pulled, deleted (245), unknown (234) or refused
    type {{ name }}, -- error type of Kartra, where there is one
    added_at {{ utc }} NOT NULL, -- since when it is on the roster
    profile_at {{ utc }}, -- when its profile was asked for last
    sales_at {{ utc }}, -- when its transactions and subscriptions were asked for last
    PRIMARY KEY (lookup)
) {{ options }};
CREATE INDEX {{ if_not_exists }} lead_roster_by_lead ON lead_roster (lead_id);
CREATE INDEX {{ if_not_exists }} lead_roster_by_profile ON lead_roster (profile_at);
CREATE INDEX {{ if_not_exists }} lead_roster_by_sales ON lead_roster (sales_at);

CREATE TABLE IF NOT EXISTS pull_runs (
    pull_id {{ id }} NOT NULL, -- as run_id of the run
    pipeline {{ name }} NOT NULL, -- name of the pipeline
    account {{ name }} NOT NULL, -- a hash that names the account of Kartra
    started_at {{ utc }} NOT NULL, -- beginning
    finished_at {{ utc }}, -- end; empty while it goes on, or when it died
    status {{ name }} NOT NULL, -- running, succeeded, partial (its budget was used up), interrupted or failed
    calls {{ integer }} NOT NULL, -- calls sent
    leads_read {{ integer }} NOT NULL, -- profiles read
    leads_waiting {{ integer }} NOT NULL, -- leads that were stale at the end
    pulled {{ json }}, -- rows per table
    notes {{ json }}, -- what a person should know, such as a name that looks renamed
    PRIMARY KEY (pull_id)
) {{ options }};
