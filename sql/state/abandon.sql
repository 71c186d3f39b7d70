-- Runs of a pipeline that ended without saying so (killed, power lost): their lease is ours now.
UPDATE runs SET status = 'interrupted', message = 'ended without a word (killed?)', finished_at = :now
WHERE pipeline = :pipeline AND status = 'running';
