-- Attempts that ended before a run could begin (the source was not there, the account could not be told), so that
-- every night has a row; and what was last said of each pipeline, so that a failure is told once and not nightly.

CREATE TABLE attempts (
    run_id TEXT PRIMARY KEY,
    pipeline TEXT NOT NULL,
    mode TEXT NOT NULL,
    started_at TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_by_start ON attempts (pipeline, started_at);

CREATE TABLE health (
    pipeline TEXT PRIMARY KEY,
    state TEXT NOT NULL,       -- ok, partial, failed, stopped or late
    since TEXT NOT NULL,       -- when the first attempt ended so
    attempts INTEGER NOT NULL, -- how many have ended so since
    unsent TEXT                -- a notice that no channel took; goes with the next one
) STRICT;
