-- The window of each App, for all hosts: seconds since 1970 by the clock of this server, which alone counts.

-- name: is_there()$
-- Whether anybody has made the tables.
SELECT 1 WHERE to_regclass('kartra_sync_windows.waiting') IS NOT NULL;

-- name: lock_making()
-- One process at a time makes them.
SELECT pg_advisory_xact_lock(hashtextextended('kartra-sync windows', 0));

-- name: has_schema()$
-- Asked first: who may use a schema need not have the right to make one, and IF NOT EXISTS asks for that right all the
-- same.
SELECT 1 FROM pg_namespace WHERE nspname = 'kartra_sync_windows';

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

-- name: add_turn()!
-- The common clock of those who wait, in moments of share 1.
ALTER TABLE kartra_sync_windows.windows ADD COLUMN IF NOT EXISTS turn double precision NOT NULL DEFAULT 0;

-- name: make_waiting()!
-- Who waits for moments of an App, until when that holds without a word, and how much it has had, in moments of share 1.
CREATE TABLE IF NOT EXISTS kartra_sync_windows.waiting (
    app text NOT NULL,
    host text NOT NULL,
    share double precision NOT NULL,
    clock double precision NOT NULL,
    until double precision NOT NULL,
    PRIMARY KEY (app, host)
);

-- name: make(app)!
-- The row of an App, unless it is there; who has not waited for an hour is forgotten.
INSERT INTO kartra_sync_windows.windows (app) VALUES (:app) ON CONFLICT DO NOTHING;
DELETE FROM kartra_sync_windows.waiting
WHERE app = :app AND until < extract(epoch FROM clock_timestamp())::double precision - 3600;

-- name: leave(app, host)!
-- It waits no more.
DELETE FROM kartra_sync_windows.waiting WHERE app = :app AND host = :host;

-- name: ask(app, host, share, waits_on, gap_s, ahead, late, held_s, most_s, half_life_s)^
-- The next moment of an App, for a host that waits: whether it is this host's, how long it is until then, and after
-- how long it may ask again where it is not.
--
-- Of those who wait, the moment is for one that is not ahead of the common clock, and of these for the one whose own
-- clock will be furthest behind (worst-case fair queueing, as among the accounts of a process). Moments are given a
-- few gaps ahead; one that nobody has come for shortly before it is whoever asks. A moment in the far future was left
-- by a clock that was wrong.
--
-- Two statements, sent as one: the second sees what was committed while the first waited for its turn, and a host that
-- is frozen between two statements of its own would keep all others waiting.
SELECT 1 FROM kartra_sync_windows.windows WHERE app = :app FOR UPDATE;
WITH mine AS MATERIALIZED (
    SELECT now, turn,
           greatest(now,
                    CASE WHEN next_at < now + 60 THEN next_at ELSE now END,
                    CASE WHEN paused_until < now + 60 THEN paused_until ELSE now END) AS first,
           :gap_s + CASE WHEN learned_s > 0 AND now >= learned_at
                         THEN least(learned_s * power(0.5, least((now - learned_at) / :half_life_s, 60)), :most_s)
                         ELSE 0 END / 20 AS gap_s
    FROM kartra_sync_windows.windows, extract(epoch FROM clock_timestamp()) AS epoch, CAST(epoch AS double precision) AS now
    WHERE app = :app
), parties AS MATERIALIZED (
    SELECT waiting.host, waiting.share, waiting.clock
    FROM kartra_sync_windows.waiting, mine
    WHERE waiting.app = :app AND waiting.host <> :host AND waiting.until > mine.now
    UNION ALL
    SELECT :host, CAST(:share AS double precision),
           CASE WHEN own.until > mine.now THEN own.clock ELSE greatest(own.clock, mine.turn) END
    FROM mine LEFT JOIN kartra_sync_windows.waiting AS own ON own.app = :app AND own.host = :host
), common AS MATERIALIZED (
    SELECT greatest(mine.turn, least_clock) AS turn, shares, count
    FROM mine, (SELECT min(clock) AS least_clock, sum(share) AS shares, count(*) AS count FROM parties) AS together
), chosen AS MATERIALIZED (
    SELECT host FROM parties, common WHERE parties.clock <= common.turn + 1e-6
    ORDER BY parties.clock + 1 / parties.share, host LIMIT 1
), decided AS MATERIALIZED (
    SELECT mine.*, common.count, common.turn + 1 / common.shares AS next_turn, parties.clock,
           first < now + :ahead * gap_s AND (chosen.host = :host OR first < now + :late * gap_s) AS is_given
    FROM mine, common, chosen, parties WHERE parties.host = :host
), kept AS (
    INSERT INTO kartra_sync_windows.waiting (app, host, share, clock, until)
    SELECT :app, :host, :share, clock + CASE WHEN is_given THEN 1 / CAST(:share AS double precision) ELSE 0 END,
           now + CASE WHEN is_given AND NOT :waits_on THEN 0 ELSE :held_s END
    FROM decided
    ON CONFLICT (app, host) DO UPDATE SET share = excluded.share, clock = excluded.clock, until = excluded.until
)
UPDATE kartra_sync_windows.windows
SET next_at = CASE WHEN is_given THEN first + gap_s ELSE next_at END,
    turn = CASE WHEN is_given THEN next_turn ELSE windows.turn END
FROM decided
WHERE app = :app
RETURNING is_given, first - now AS wait_s, gap_s,
    greatest(0.002, CASE WHEN first < now + :ahead * gap_s
                         THEN least(first - now - :late * gap_s, gap_s * greatest(1, count / 8.0))
                         ELSE first - now - :ahead * gap_s END) AS again_s;

-- name: skip(app, gap_s)!
-- A call left late: whoever is next leaves later.
UPDATE kartra_sync_windows.windows SET next_at = greatest(next_at, extract(epoch FROM clock_timestamp())::double precision) + :gap_s
WHERE app = :app;

-- name: be_brief()!
-- A host that is frozen within this transaction keeps the others waiting no longer than this.
SET LOCAL idle_in_transaction_session_timeout = '2s';

-- name: look(app)^
-- What is known of an App, and the time; nobody changes it meanwhile.
SELECT extract(epoch FROM clock_timestamp())::double precision AS now, paused_until, learned_s, learned_at
FROM kartra_sync_windows.windows WHERE app = :app FOR UPDATE;

-- name: learn(app, paused_until, learned_s, learned_at)!
-- What a 429 has taught.
UPDATE kartra_sync_windows.windows SET paused_until = :paused_until, learned_s = :learned_s, learned_at = :learned_at WHERE app = :app;
