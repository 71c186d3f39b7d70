"""Kartra: its commands, its wire, its answers."""
