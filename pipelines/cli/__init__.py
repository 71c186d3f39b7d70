"""The command line: one module for each verb, and the screens. It alone knows click and rich."""
