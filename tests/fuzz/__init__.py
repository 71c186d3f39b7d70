"""Input made at random for each parser of ours: `python -m tests.fuzz PARSER --seconds N`."""
