-- New leads of a range of keys, taken over: the snapshot is the wish, but for what is still owed.
INSERT INTO leads (scope_id, key, origin, digest, snapshot, changed_at, taken_over)
SELECT :scope_id, staged.key, 'adopted',
       CASE WHEN (:owes_sequences AND json_array_length(staged.wish, '$.sequences') > 0)
              OR (:owes_points AND json_extract(staged.wish, '$.points') IS NOT NULL)
              OR (:owes_calendars AND json_extract(staged.wish, '$.calendars') IS NOT NULL)
            THEN x'' ELSE staged.digest END,
       json_object(
           'calendars', (SELECT json_group_array(json_extract(value, '$[0]') || ': ' || json_extract(value, '$[1]'))
                         FROM json_each(staged.wish, '$.calendars') WHERE NOT :owes_calendars),
           'custom_fields', json_extract(staged.wish, '$.custom_fields'),
           'email', json_extract(staged.wish, '$.email'),
           'fields', json_extract(staged.wish, '$.fields'),
           'kept', json_array(),
           'lists', json_extract(staged.wish, '$.lists'),
           'points', CASE WHEN :owes_points THEN 0 ELSE coalesce(json_extract(staged.wish, '$.points[0]'), 0) END,
           'sequences', (SELECT json_group_array(json_extract(value, '$[0]'))
                         FROM json_each(staged.wish, '$.sequences') WHERE NOT :owes_sequences),
           'tags', json_extract(staged.wish, '$.tags'),
           'unwanted', json(coalesce(json_extract(staged.wish, '$.unwanted'), '[]'))),
       :now, 1
FROM temp.adopting JOIN temp.staged ON staged.row = adopting.row
WHERE adopting.standing = 'new' AND adopting.key > :after AND adopting.key <= :until
ORDER BY adopting.key
ON CONFLICT (scope_id, key) DO NOTHING;
