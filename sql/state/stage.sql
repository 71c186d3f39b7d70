-- One record of the source, in the order of the columns.
INSERT INTO temp.staged (row, line, key, rank, digest, wish, blocked, record, raw, shape)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
