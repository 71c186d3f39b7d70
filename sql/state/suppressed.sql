-- Addresses that must not be sent, each with the reason. One row per address.
CREATE TEMP TABLE suppressed (address TEXT PRIMARY KEY, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;
