"""Input that attacks. The tables of `tests/data/attacks` list what is expected and observed."""
