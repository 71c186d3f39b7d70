-- What the worker that began last has as the files of the fleet, and the library that made these tables. One row.
CREATE TABLE IF NOT EXISTS fleet_files (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    files text NOT NULL,
    library text NOT NULL
);
