"""The simulation: whole runs of the product under a clock, a network and crashes that a seed decides."""
