"""Many accounts of one App: who they are, what runs for each of them, side by side, and how they stand."""
