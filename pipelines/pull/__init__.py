"""Reads leads, sales and names from Kartra into tables."""
