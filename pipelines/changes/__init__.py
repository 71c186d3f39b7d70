"""The difference between a wish and what Kartra has, and the call that closes it. Pure."""
