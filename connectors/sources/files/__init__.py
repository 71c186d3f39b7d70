"""Sources that are files: CSV, Excel, JSON lines, Parquet, local or behind a URL."""
