-- Staged contacts of a range of rows as leads that Kartra created and acknowledged, in the order of key. The
-- snapshot has everything the wish asks for; the number in Kartra is the one in the contact's website.
INSERT INTO leads (scope_id, key, lead_id, origin, digest, snapshot, changed_at)
SELECT :scope_id, key,
       1 + substr(wish ->> '$.fields.website', instr(wish ->> '$.fields.website', '/people/') + 8),
       'created', digest,
       json_object('custom_fields', wish -> '$.custom_fields', 'email', wish ->> '$.email',
                   'fields', wish -> '$.fields', 'kept', json_array(), 'lists', wish -> '$.lists',
                   'sequences', json_array(), 'tags', wish -> '$.tags'),
       :now
FROM temp.staged
WHERE row > :after AND row <= :until
ORDER BY key;
