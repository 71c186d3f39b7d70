"""The recipes of configs/schedules, run or read by what they are written for."""
