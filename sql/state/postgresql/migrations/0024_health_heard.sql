-- What each pipeline's trouble was so far, so that people hear between its beginning and its end only of what is new.
-- `unsent` is from here on a JSON object: by place of the channel in the file, what it has not taken yet.
ALTER TABLE health ADD COLUMN heard text COLLATE "C";
