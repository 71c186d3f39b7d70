"""Compares the pulled sales with Kartra's own export."""
