-- Says which files of the fleet count from now on. The library is that of the first worker.
INSERT INTO fleet_files (files, library) VALUES (%(files)s, %(library)s)
ON CONFLICT (only_one) DO UPDATE SET files = excluded.files
RETURNING library
