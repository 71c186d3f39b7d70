-- How far this state has come (see the migration).

-- name: current()^
-- The one row.
SELECT state_id, number, copied_at, behind FROM generation;

-- name: advance(behind)!
-- One step on. The number seen outside is kept where the state was found to be older.
UPDATE generation SET number = number + 1, behind = :behind;

-- name: go_on(state_id)!
-- A person goes on with this file as it is: it is a state of its own from here on.
UPDATE generation SET state_id = :state_id, number = number + 1, copied_at = NULL, behind = NULL;

-- name: mark_copy(at)!
-- It is a copy from here on.
UPDATE generation SET copied_at = :at, behind = NULL;
