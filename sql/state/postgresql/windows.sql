-- The window of each App, for all hosts: seconds since 1970 by the clock of this server, which alone counts.

-- name: is_there()$
-- Whether anybody has made the table.
SELECT 1 WHERE to_regclass('kartra_sync_windows.windows') IS NOT NULL;

-- name: lock_making()
-- One process at a time makes it.
SELECT pg_advisory_xact_lock(hashtextextended('kartra-sync windows', 0));

-- name: make_schema()!
-- Beside the schemas of states, whichever they are.
CREATE SCHEMA IF NOT EXISTS kartra_sync_windows;

-- name: make_table()!
-- When the next call of an App (a hash) may leave. What is learned is learned from 429s.
CREATE TABLE IF NOT EXISTS kartra_sync_windows.windows (
    app text PRIMARY KEY,
    next_at double precision NOT NULL DEFAULT 0,
    paused_until double precision NOT NULL DEFAULT 0,
    learned_s double precision NOT NULL DEFAULT 0,
    learned_at double precision NOT NULL DEFAULT 0
);

-- name: make(app)!
-- The row of an App, unless it is there.
INSERT INTO kartra_sync_windows.windows (app) VALUES (:app) ON CONFLICT DO NOTHING;

-- name: reserve(app, count, gap_s, most_s, half_life_s)^
-- The next moments of an App: how long it is until the first, and how far they are apart. A moment in the far future
-- was left by a clock that was wrong.
UPDATE kartra_sync_windows.windows SET next_at = moment.first + :count * moment.gap_s
FROM (
    SELECT app, gap_s, now, greatest(
               now,
               CASE WHEN next_at < now + 60 THEN next_at ELSE now END,
               CASE WHEN paused_until < now + 60 THEN paused_until ELSE now END) AS first
    FROM (
        SELECT app, next_at, paused_until, clock.now,
               :gap_s + CASE WHEN learned_s > 0 AND clock.now >= learned_at
                             THEN least(learned_s * power(0.5, least((clock.now - learned_at) / :half_life_s, 60)), :most_s)
                             ELSE 0 END / 20 AS gap_s
        FROM (SELECT app, next_at, paused_until, learned_s, learned_at FROM kartra_sync_windows.windows WHERE app = :app FOR UPDATE) AS mine,
             LATERAL (SELECT extract(epoch FROM clock_timestamp())::double precision AS now
                      WHERE mine.app IS NOT NULL) AS clock
    ) AS learned
) AS moment
WHERE kartra_sync_windows.windows.app = moment.app
RETURNING moment.first - moment.now AS wait_s, moment.gap_s;

-- name: skip(app, gap_s)!
-- A call left late: whoever is next leaves later.
UPDATE kartra_sync_windows.windows SET next_at = greatest(next_at, extract(epoch FROM clock_timestamp())::double precision) + :gap_s
WHERE app = :app;

-- name: look(app)^
-- What is known of an App, and the time; nobody changes it meanwhile.
SELECT extract(epoch FROM clock_timestamp())::double precision AS now, paused_until, learned_s, learned_at
FROM kartra_sync_windows.windows WHERE app = :app FOR UPDATE;

-- name: learn(app, paused_until, learned_s, learned_at)!
-- What a 429 has taught.
UPDATE kartra_sync_windows.windows SET paused_until = :paused_until, learned_s = :learned_s, learned_at = :learned_at WHERE app = :app;
