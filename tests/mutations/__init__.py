"""Faults put into the core by hand: each has to be found, or the simulation proves less than it seems to."""
