"""What people are told of a pipeline, as a function of how it was and how its last attempt ended. Pure.

A notice is sent when the pipeline's state changes, not once a run: the first failing night is told, the four
after it are not, and the night that works again says how many there were.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.privacy import mask_text
from pipelines.state.health import Health, State

STATES: Mapping[str, State] = {
    "succeeded": "ok",
    "partial": "partial",
    "failed": "failed",
    "refused": "stopped",
    "late": "late",
}
"""What the status of an attempt says of its pipeline; one that was interrupted says nothing."""
_TITLES = {
    "failed": "has failed",
    "stopped": "was stopped before it did harm",
    "partial": "is done, some leads were refused",
    "late": "is late",
    "recovered": "works again",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt to run a pipeline ended. `status` as in `run --json`, or late."""

    pipeline: str
    file: str
    """The name of the pipeline file, for the command that is to be typed next."""
    status: str
    message: str = ""
    figures: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A text for people: it bears no address of a lead and no secret."""

    title: str
    body: str

    @property
    def text(self) -> str:
        return f"{self.title}\n{self.body}"


def next_notice(
    before: Health | None, attempt: Attempt, now: datetime, on: Collection[str]
) -> tuple[Health | None, Notice | None]:
    """How the pipeline is from now on, and what is told of it, if anything."""
    state = STATES.get(attempt.status)
    if state is None:
        return before, None
    if state == "late" and before is not None and before.state in ("failed", "stopped"):
        return before, None  # known already: it runs, and fails
    if before is not None and before.state == state:
        return replace(before, attempts=before.attempts + 1), None
    health = Health(state, now.isoformat(), 1, before.unsent if before else None)
    if state == "ok":
        # Not news on a first run: nobody has heard of any trouble yet.
        is_news = before is not None and "recovered" in on
        return health, _notice("recovered", attempt, before) if is_news else None
    return health, _notice(state, attempt, before) if state in on else None


def _notice(occasion: str, attempt: Attempt, before: Health | None) -> Notice:
    account = f" ({attempt.account})" if attempt.account else ""
    lines = [attempt.message, attempt.figures, _between(before), _what_to_do(occasion, attempt.file)]
    title = " ".join(f"kartra-sync: {attempt.pipeline}{account} {_TITLES[occasion]}".split())
    return Notice(mask_text(title), "\n".join(mask_text(line) for line in lines if line))


def _between(before: Health | None) -> str:
    """What came before, where that was trouble."""
    if before is None or before.state == "ok":
        return ""
    words = {"partial": "had leads refused", "stopped": "was stopped", "failed": "failed", "late": "was late"}
    times = " once" if before.attempts == 1 else f" {before.attempts} times"
    times = "" if before.state == "late" else times  # it counts checks, not nights
    return f"Before, it {words[before.state]}{times}, since {before.since[:16].replace('T', ' ')} UTC."


def _what_to_do(occasion: str, file: str) -> str:
    next_command = {
        "failed": f"kartra-sync run {file} is safe to repeat; kartra-sync status {file} says what waits.",
        "stopped": f"See what a run would send: kartra-sync plan {file}",
        "partial": f"Who, and why: kartra-sync rejects {file}",
        "late": f"Is its schedule still there? kartra-sync runs {file}",
    }
    return next_command.get(occasion, "")
