-- What a doctor found of an account, and how it knows again the lead that it made there. `marker` stands in that
-- lead's profile and belongs to nobody; `given` (a JSON object of names) is what the lead was given and what has
-- not been taken back yet; `found` is a JSON text without names, absent until a doctor has come to its end.
CREATE TABLE doctor (
    account TEXT PRIMARY KEY,
    marker TEXT NOT NULL,
    given TEXT NOT NULL DEFAULT '{}',
    found TEXT,
    found_at TEXT
) STRICT, WITHOUT ROWID;
