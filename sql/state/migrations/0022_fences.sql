-- A number that grows whenever the lease of a pipeline is taken: where the lease is a row of a server, a run that was
-- cut off from it is told by its number from the one that took over, and its writes are refused.
ALTER TABLE leases ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
CREATE TABLE fences (
    pipeline TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
