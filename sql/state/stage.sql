-- One record of the source.
INSERT INTO temp.staged (row, line, key, rank, digest, wish, blocked, record, raw)
VALUES (:row, :line, :key, :rank, :digest, :wish, :blocked, :record, :raw);
