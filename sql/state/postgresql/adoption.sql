-- Taking over leads that Kartra has already, where PostgreSQL has its own words.

-- name: take_over(scope_id, owes_sequences, owes_points, owes_calendars, now, after, until)!
-- New leads of a range of keys, taken over: the snapshot is the wish, but for what is still owed.
INSERT INTO leads (scope_id, key, origin, digest, snapshot, changed_at, taken_over)
SELECT :scope_id, wished.key, 'adopted',
       CASE WHEN (:owes_sequences AND coalesce(json_array_length(wished.wish -> 'sequences'), 0) > 0)
              OR (:owes_points AND coalesce((wished.wish #>> '{points,0}')::numeric, 0) > 0)
              OR (:owes_calendars AND wished.wish -> 'calendars' IS NOT NULL)
            THEN x'' ELSE wished.digest END,
       json_build_object(
           'calendars', coalesce((SELECT json_agg((value ->> 0) || ': ' || (value ->> 1))
                                  FROM json_array_elements(wished.wish -> 'calendars')
                                  WHERE NOT :owes_calendars), '[]'::json),
           'custom_fields', wished.wish -> 'custom_fields',
           'email', wished.wish -> 'email',
           'fields', wished.wish -> 'fields',
           'kept', '[]'::json,
           'lists', wished.wish -> 'lists',
           'points', CASE WHEN :owes_points THEN 0 ELSE coalesce((wished.wish #>> '{points,0}')::numeric, 0) END,
           'sequences', coalesce((SELECT json_agg(value -> 0) FROM json_array_elements(wished.wish -> 'sequences')
                                  WHERE NOT :owes_sequences), '[]'::json),
           'tags', wished.wish -> 'tags',
           'unwanted', coalesce(wished.wish -> 'unwanted', '[]'::json))::text,
       :now, true
FROM (SELECT adopting.key, staged.digest, (staged.wish)::json AS wish
      FROM temp.adopting JOIN temp.staged ON staged.row = adopting.row
      WHERE adopting.standing = 'new' AND adopting.key > :after AND adopting.key <= :until
      ORDER BY adopting.key) AS wished
ON CONFLICT (scope_id, key) DO NOTHING;
