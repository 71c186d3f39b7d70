-- New leads by what they ask for beside their address and the texts of fields: the first of each shape, and how many
-- there are of it.
CREATE TEMP TABLE new_shapes (row INTEGER PRIMARY KEY, leads INTEGER NOT NULL) STRICT;
