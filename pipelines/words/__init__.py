"""Word lists and word matching: countries, opting out, near matches."""
