-- Names and custom fields of an account, as Kartra listed them last.

-- name: get(account, kind)^
-- One list.
SELECT read_at, content FROM inventories WHERE account = :account AND kind = :kind;

-- name: keep(account, kind, content, now)!
-- A list that Kartra gave now.
INSERT INTO inventories (account, kind, content, read_at) VALUES (:account, :kind, :content, :now)
ON CONFLICT (account, kind) DO UPDATE SET content = excluded.content, read_at = excluded.read_at;

-- name: forget(account)!
-- The lists of an account proved wrong.
DELETE FROM inventories WHERE account = :account;
