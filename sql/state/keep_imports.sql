-- What the files hold that are about to be put in their place, instead of what earlier ones held.
INSERT INTO imports (scope_id, key, digest)
SELECT :scope_id, key, digest FROM temp.importing WHERE true ORDER BY key;
