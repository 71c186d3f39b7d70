-- A lease is kept by a lock of the operating system on a file beside the state. Rows of versions before have
-- none: there the process and its heartbeat tell whether the holder lives. `namespace` is where its pid means
-- something: the boot, and the namespace of process ids.
ALTER TABLE leases ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
ALTER TABLE leases ADD COLUMN by_lock INTEGER NOT NULL DEFAULT 0;
