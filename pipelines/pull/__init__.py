"""Reads leads, sales and names back from Kartra."""
