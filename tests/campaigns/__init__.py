"""Campaigns: the promises under crashes, faults, refusals and load, counted. `python -m tests.campaigns`."""
