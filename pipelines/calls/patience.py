"""When to try again, and when to give up."""

from datetime import timedelta

FIRST_LOOK_S = 1.0
STOP_WITHIN_S = 9.0
"""How long calls in flight may take once a stop was asked for."""
MAX_TRIES = 6
LEFT_WITHIN = timedelta(hours=1)
"""A call leaves this long after its intent at most: permits and storms of 429 can make it wait."""
UNREACHABLE_IN_A_ROW = 20
UNANSWERED_IN_A_ROW = 25
MAX_WORKERS = 64
