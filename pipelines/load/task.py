"""One entry of the outbox on its way to Kartra."""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from pipelines.changes.diff import Change, unproven_wishes
from pipelines.contacts.lead import Origin, Snapshot
from pipelines.contacts.wishes import Cause
from pipelines.state.outbox import Entry

NO_LEAD = frozenset({"234", "243"})
NO_SUCH_NAME = frozenset({"209", "212", "214", "219", "220", "229", "230", "231"})
ALREADY_SO = {
    ("unassign_tag", "214"),
    ("unsubscribe_lead_from_list", "209"),
    ("unsubscribe_lead_from_sequence", "220"),
}
"""Taking away what the account does not even have: nobody has it, so the goal is reached."""


@dataclass(slots=True)
class Task:
    """One entry on its way. `change` is what the next call has to effect."""

    entry: Entry
    snapshot: Snapshot | None
    origin: Origin | None
    change: Change
    read_next: bool = False
    adopting: bool = False
    recovering: bool = False
    one_by_one: bool = False
    scoring: bool = False  # the next read is for the score alone
    scored: bool = False  # the lead was read, and nothing was written since
    score: int | None = None
    seen: bool = False  # the lead it created has shown up
    tries: int = 0
    reads: int = 0
    open_until: float = 0.0  # time.monotonic at which every effect of the last write has to show
    intended_at: datetime | None = None  # of the first try
    wrote: bool = False
    refused: dict[Cause, str] = field(default_factory=dict)  # by this error type
    held: dict[Cause, str] = field(default_factory=dict)  # not sent, because of this error type
    done: Counter[str] = field(default_factory=Counter)

    @property
    def needs_score(self) -> bool:
        """Points are proven by the score before and after; a new lead has none before."""
        return self.change.gives_points and not self.change.create and not self.scored

    @property
    def unproven(self) -> list[str]:
        """What of the wish may have landed, and nothing proves it."""
        desired = self.entry.desired
        return unproven_wishes(desired, self.snapshot) if desired and self.snapshot else []

    @property
    def window_open(self) -> bool:
        """Whether effects of the last write may still be on their way."""
        return time.monotonic() < self.open_until
