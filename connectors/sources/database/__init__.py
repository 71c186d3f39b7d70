"""Sources that are queries of a database."""
