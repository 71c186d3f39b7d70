-- What Kartra refused of a wish, as "calendar_subscribe Webinar: Tuesday"; null where it was the lead itself.
ALTER TABLE refusals ADD COLUMN cause TEXT;

-- How many effects of a lead may have landed and are not proven.
ALTER TABLE leads ADD COLUMN unproven INTEGER NOT NULL DEFAULT 0;
CREATE INDEX leads_unproven ON leads (scope_id, key) WHERE unproven > 0;

-- What Kartra refuses whoever it is for: held back, but for one probe at a time.
CREATE TABLE breakers (
    scope_id INTEGER NOT NULL REFERENCES scopes,
    cmd TEXT NOT NULL,
    label TEXT NOT NULL,
    type TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    PRIMARY KEY (scope_id, cmd, label)
) STRICT, WITHOUT ROWID;
