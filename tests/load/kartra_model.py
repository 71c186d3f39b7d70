"""One lead of Kartra as a value: what calls do to it, what a profile shows of it and when."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from connectors.kartra.answers import Answer, Effect
from pipelines.changes.diff import Change, apply_change
from pipelines.contacts.lead import Snapshot
from pipelines.load.task import Now, Task
from tests.load.answers import everywhere, no_lead, profile, silent, wrote

ONCE_ONLY = ("subscribe_lead_to_sequence_at_step", "calendar_subscribe", "give_points_to_lead")


class KilledError(Exception):
    """The process ends here."""


@dataclass
class KartraModel:
    """Effects show in a profile `shows_after_s` after their call. `fates` say what becomes of each call.

    answered; lost (carried out, no answer); head, tail (one half of its actions is carried out, no answer);
    dropped (not carried out, no answer); throttled (429); killed (carried out, and the process ends). Once
    they are used up every call is answered.
    """

    fates: list[str]
    shows_after_s: float = 0.0
    lead: Snapshot | None = None
    joined: datetime | None = None
    given: Counter[str] = field(default_factory=Counter)
    """How often each once-only action was carried out, by command and name; points by their number."""
    _shown: list[tuple[float, Snapshot]] = field(default_factory=list)

    def put(self, lead: Snapshot, joined: datetime, at: Now) -> None:
        """A lead that was there before."""
        self.lead, self.joined = lead, joined
        self._shown.append((at.monotonic_s, lead))

    def write(self, change: Change, at: Now) -> Answer:
        fate = self._fate()
        if fate == "throttled":
            return everywhere(change, Effect.RETRY_LATER)
        if fate == "dropped":
            return everywhere(change, Effect.UNKNOWN)
        middle, count = (len(change.commands) + 1) // 2, len(change.commands)
        first, last = (0, middle) if fate == "head" else (middle, count) if fate == "tail" else (0, count)
        if change.create and fate == "tail":
            first = 0  # without its lead there is nothing to carry it out for
        answer = self._carry_out(change, at, first, last)
        if fate == "killed":
            raise KilledError
        return everywhere(change, Effect.UNKNOWN) if fate in ("lost", "head", "tail") else answer

    def read(self, _: Task, at: Now) -> Answer:
        if self._fate() in ("lost", "head", "tail", "dropped", "throttled"):
            return silent()
        seen = [lead for since, lead in self._shown if since <= at.monotonic_s]
        if not seen:
            return no_lead()
        return profile(seen[-1], score=seen[-1].points, joined=self.joined)

    def _fate(self) -> str:
        return self.fates.pop(0) if self.fates else "answered"

    def _carry_out(self, change: Change, at: Now, first: int, last: int) -> Answer:
        """The actions from one place to another."""
        if change.create and self.lead is not None:
            return wrote(change, *["244"] * len(change.commands))
        if not change.create and self.lead is None:
            return wrote(change, *["243"] * len(change.commands))
        if self.lead is None:
            self.lead, self.joined = Snapshot(change.email or "", "39260"), at.at
        done = [first <= place < last for place in range(len(change.commands))]
        self.lead = replace(apply_change(self.lead, change, done), lead_id="39260")
        for step, is_done in zip(change.steps, done[len(done) - len(change.steps) :], strict=True):
            if is_done and step.cmd in ONCE_ONLY:
                weight = int(step.name) if step.cmd == "give_points_to_lead" else 1
                name = "points" if step.cmd == "give_points_to_lead" else f"{step.cmd} {step.label}"
                self.given[name] += weight
        self._shown.append((at.monotonic_s + self.shows_after_s, self.lead))
        return wrote(change, *[Effect.DONE] * len(done), lead_id="39260")
