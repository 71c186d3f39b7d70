"""The stored form of times: ISO 8601 in UTC."""

import uuid
from datetime import datetime, timedelta

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the clocks of two machines may differ before a time counts as wrong."""


def instant(stored: str) -> datetime:
    return datetime.fromisoformat(stored)


def is_fresh(at: datetime | None, since: datetime, now: datetime) -> bool:
    """Whether `at` is not before `since`. A time in the future came from a wrong clock and counts as
    never."""
    return at is not None and since <= at <= now + CLOCKS_DIFFER


def new_run_id(now: datetime) -> str:
    """An id that sorts by time: 20261123T101500-3f2a9c."""
    # The random end tells apart runs of several pipelines that one timer starts in the same second.
    return f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
