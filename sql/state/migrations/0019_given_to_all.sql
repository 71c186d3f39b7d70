-- What a pipeline file gave to every lead, by name, as long as somebody may have it: a name that leaves the file is
-- taken back. An empty name says that the file had a mapping of that collection at all. What files of versions before
-- gave, nobody has written down: of them all collections are looked at once.
CREATE TABLE given_to_all (
    scope_id INTEGER NOT NULL REFERENCES scopes,
    collection TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (scope_id, collection, name)
) STRICT, WITHOUT ROWID;
INSERT INTO given_to_all (scope_id, collection, name)
SELECT scope_id, collection, '' FROM scopes, (SELECT 'tags' AS collection UNION ALL SELECT 'lists');
