-- What goes into the files of one `export-import`. One row per key.
CREATE TEMP TABLE importing (key TEXT PRIMARY KEY, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;
