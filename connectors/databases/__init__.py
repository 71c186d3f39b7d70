"""SQL databases: engines, dialects and the tables that a pull fills."""
