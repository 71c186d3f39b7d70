"""Many accounts of one App, through the command and a sandbox that holds them all."""
