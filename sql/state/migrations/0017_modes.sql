-- The mode of the App that an account's stored addresses have shown last, whatever any file says: Test mode stores
-- another domain. Before it is known, the first lead that is created is read back.
CREATE TABLE modes (
    account TEXT PRIMARY KEY,
    mode TEXT NOT NULL CHECK (mode IN ('live', 'test')),
    shown_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
