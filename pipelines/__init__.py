"""What a sync is: configuration, mapping, state, diff, plan, delivery, and the command."""
