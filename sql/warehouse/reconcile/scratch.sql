-- What a reconciliation remembers while it goes on, in a temporary SQLite file of its own. Nothing of it stays.

CREATE TABLE seen ( -- a transaction of the export, by its number
    transaction_id TEXT NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL -- of its row
) STRICT, WITHOUT ROWID;

CREATE TABLE findings ( -- what does not agree
    place INTEGER PRIMARY KEY, -- the order in which it was found
    kind TEXT NOT NULL, -- one of Kind
    row INTEGER, -- of the export
    transaction_id TEXT,
    lead_id TEXT,
    what TEXT, -- a column, or the reason
    in_export TEXT,
    pulled TEXT
) STRICT;
CREATE INDEX findings_by_kind ON findings (kind, place);

CREATE TABLE leads ( -- a lead that has transactions which were not pulled, and is not on the roster
    lead_id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
