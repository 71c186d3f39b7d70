-- What several records of one key ask for together, on the row of each.
UPDATE temp.staged SET wish = :wish, digest = :digest, shape = :shape, blocked = :blocked WHERE row = :row;
