"""Reads a source and stages its records."""
