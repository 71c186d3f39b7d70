-- One address that must not be sent.
INSERT OR IGNORE INTO temp.suppressed (address, reason) VALUES (:address, :reason);
