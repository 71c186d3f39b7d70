-- One lead that stands in a file of this `export-import`.
INSERT INTO temp.importing (key, digest) VALUES (:key, :digest);
