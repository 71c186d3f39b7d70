"""Plans what to send to Kartra, and delivers it."""
