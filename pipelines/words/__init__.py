"""Words that are looked up: countries, near matches."""
