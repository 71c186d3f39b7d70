"""Input that attacks. The probes are listed in `tests/data/attacks/input.csv`, with what is expected."""
