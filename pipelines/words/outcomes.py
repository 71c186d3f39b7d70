"""The words for what becomes of records and leads, wherever people or programs read them.

Four say that something was not sent, and who moves next: refused (by Kartra), invalid (by us), held back (a
person has to act), waiting (the next run sends it). The state keeps older names of three of them.
"""

from collections.abc import Mapping

REFUSED, INVALID, HELD_BACK, WAITING = "refused", "invalid", "held_back", "waiting"
KEPT_AS: Mapping[str, str] = {"rejected": REFUSED, "parked": HELD_BACK, "deferred": WAITING}
OUTCOMES = (
    "created",
    "edited",
    "removed",
    "unchanged",
    "skipped",
    REFUSED,
    INVALID,
    HELD_BACK,
    WAITING,
    "duplicate",
    "blocked",
)
"""What can become of a lead or record in a run."""


def word_of(kept: str) -> str:
    """The word for an outcome, or a kind of reject, as the state keeps it."""
    return KEPT_AS.get(kept, kept)


def in_words(outcome: str) -> str:
    """As people read it."""
    return outcome.replace("_", " ")
