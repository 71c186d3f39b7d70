"""Tests of the verbs' own parts; what a verb does stands in tests/promises and tests/command."""
