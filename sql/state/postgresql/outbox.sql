-- The outbox, where PostgreSQL has its own words.

-- name: has_staging()$
-- Whether this process has read a source: the wishes of what is planned stand in its staging table.
SELECT 1 WHERE to_regclass('pg_temp.staged') IS NOT NULL;
