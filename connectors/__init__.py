"""One outside thing each: contact sources, Kartra, table sinks. Knows nothing of what a sync is."""
