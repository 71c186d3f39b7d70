-- What a doctor found, by account.

-- name: of(account)^
-- The row of an account.
SELECT marker, given, found, found_at FROM doctor WHERE account = :account;

-- name: mark(account, marker)!
-- The marker of an account, which stays once it is there.
INSERT INTO doctor (account, marker) VALUES (:account, :marker) ON CONFLICT (account) DO NOTHING;

-- name: give(account, given)!
-- What the lead of the doctor has, or is about to get.
UPDATE doctor SET given = :given WHERE account = :account;

-- name: keep(account, found, now)!
-- What was found.
UPDATE doctor SET found = :found, found_at = :now WHERE account = :account;

-- name: knows(address)$
-- Whether any lead of this state has an address, as its key or in its profile, or is about to get it.
SELECT EXISTS (SELECT 1 FROM leads
               WHERE key = :address OR lower(json_extract(snapshot, '$.email')) = :address)
    OR EXISTS (SELECT 1 FROM outbox
               WHERE key = :address OR lower(json_extract(wish, '$.email')) = :address
                  OR lower(json_extract(change, '$.email')) = :address);
