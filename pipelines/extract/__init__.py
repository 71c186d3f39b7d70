"""Reads a source and stages what it says."""
