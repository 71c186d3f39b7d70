"""The tables that a pull fills, their reports and exports."""
