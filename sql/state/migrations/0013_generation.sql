-- How far this state has come, to be compared with what was seen of it outside: a copy that was put back in its place
-- is behind, and the account ahead of it. One row.

CREATE TABLE generation (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    state_id TEXT NOT NULL, -- random; copies of a state have the same
    number INTEGER NOT NULL, -- grows while the state is worked on, and with each copy that is made of it
    copied_at TEXT, -- when this file was made as a copy; NULL: it is none, or a person said to go on with it
    behind INTEGER -- the number seen outside once it was worked on as an older one, 0 if none; NULL: it was not, or as above
) STRICT;

INSERT INTO generation (only, state_id, number) VALUES (1, lower(hex(randomblob(16))), 0);
