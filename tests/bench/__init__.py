"""Speed and size, measured in one run against something else in the same run. Each bench prints a table."""
