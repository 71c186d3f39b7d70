"""Carries out operations on money and bookings, each at most once."""
