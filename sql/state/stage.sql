-- One record of the source.
INSERT INTO temp.staged (row, line, key, rank, digest, wish, blocked, record)
VALUES (:row, :line, :key, :rank, :digest, :wish, :blocked, :record);
