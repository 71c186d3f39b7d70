"""What people are told of a pipeline, as a function of how it was and how its last attempt ended. Pure.

A notice is sent when the pipeline's state changes, not once a run: the first failing night is told, the four
after it are not, and the night that works again says how many there were and what was wrong in them. What is
new in between, another reason or leads refused for the first time, is told once a day at most.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.privacy import mask_text
from connectors.unseen import defused
from pipelines.state.clock import instant
from pipelines.state.health import Health, Heard, State
from pipelines.words.numbers import counted

STATES: Mapping[str, State] = {
    "succeeded": "ok",
    "partial": "partial",
    "failed": "failed",
    "refused": "stopped",
    "late": "late",
}
"""What the status of an attempt says of its pipeline; one that was interrupted says nothing."""
# Less than a day, so that a run each night can tell each time: nights do not begin at the same second.
DIGEST_AFTER = timedelta(hours=20)
"""So long after a notice the next one may tell what is new while the state is the same."""
MAX_REASONS = 5
MAX_REASON_CHARS = 300
MAX_LINE_CHARS = 2_000
"""Of a line: a message can hold what a server said."""
_TITLES = {
    "failed": "has failed",
    "stopped": "was stopped before it did harm",
    "partial": "is done, but not in full",
    "refusals": "is done, some leads were refused",
    "late": "is late",
    "recovered": "works again",
}
_STILL = {
    "failed": "still fails, now for another reason",
    "stopped": "is still stopped, now for another reason",
    "partial": "has more leads refused",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt to run a pipeline ended. `status` as in `run --json`, or late."""

    pipeline: str
    file: str
    """How the pipeline is named to the command that is to be typed next."""
    status: str
    message: str = ""
    figures: str = ""
    account: str = ""
    refused: int = 0
    """Leads that were refused and had not been in the run before."""
    has_refused: bool = True
    """Whether a partial run is one because of refused leads, and not of something that it left for later."""


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
        return _as_before(before, attempt, now, on)
    heard = _heard(Heard(told_at=now.isoformat()), attempt, is_first=True)
    health = Health(state, now.isoformat(), 1, before.unsent if before else {}, heard)
    if state == "ok":
        # Not news on a first run: nobody has heard of any trouble yet.
        is_news = before is not None and "recovered" in on
        return health, _notice("recovered", attempt, before) if is_news else None
    return health, _notice(state, attempt, before) if state in on else None


def _as_before(
    before: Health, attempt: Attempt, now: datetime, on: Collection[str]
) -> tuple[Health, Notice | None]:
    heard = _heard(before.heard, attempt)
    health = replace(before, attempts=before.attempts + 1, heard=heard)
    # Of a state before this version nobody knows when it was told.
    is_due = not heard.told_at or now - instant(heard.told_at) >= DIGEST_AFTER
    if before.state not in _STILL or before.state not in on or not (heard.is_news and is_due):
        return health, None
    return replace(health, heard=replace(heard, told_at=now.isoformat(), is_news=False)), _digest(
        attempt, health
    )


def _heard(heard: Heard, attempt: Attempt, *, is_first: bool = False) -> Heard:
    """With this attempt; the first one of a state is told anyway."""
    if attempt.status == "partial":
        is_news = bool(attempt.refused) and not is_first
        return replace(heard, refused=heard.refused + attempt.refused, is_news=heard.is_news or is_news)
    reason = _reason(attempt.message)
    if not reason or attempt.status == "late":
        return heard
    # The same trouble with other figures (rows, times, hosts) is no news.
    known = next((each for each in heard.reasons if _kind(each) == _kind(reason)), None)
    if known is None and len(heard.reasons) >= MAX_REASONS:
        return heard
    reasons = {**heard.reasons, known or reason: heard.reasons.get(known or reason, 0) + 1}
    return replace(heard, reasons=reasons, is_news=heard.is_news or (known is None and not is_first))


_IN_A_FLEET = re.compile(r"[^\s@]+\.ya?ml(:[^\s@/]+)?@[^\s@/]+/[^\s@/]+")
"""`agency.yaml@acme/welcome`, which has to be typed as it stands."""


def _reason(message: str) -> str:
    text = mask_text(message.strip().split("\n")[0])
    return text if len(text) <= MAX_REASON_CHARS else f"{text[: MAX_REASON_CHARS - 1]}…"


def _kind(reason: str) -> str:
    return re.sub(r"\d[\d,.:-]*", "0", reason)


def _notice(occasion: str, attempt: Attempt, before: Health | None) -> Notice:
    words = "refusals" if occasion == "partial" and attempt.has_refused else occasion
    lines = [attempt.message, attempt.figures, *_between(before)]
    return _written(attempt, _TITLES[words], lines, _what_to_do(words, attempt.file))


def _digest(attempt: Attempt, health: Health) -> Notice:
    occasion = "refusals" if health.state == "partial" else health.state
    lines = [attempt.message, attempt.figures, *_between(health, so_far=True)]
    return _written(attempt, _STILL[health.state], lines, _what_to_do(occasion, attempt.file))


def _written(attempt: Attempt, words: str, lines: list[str], advice: str) -> Notice:
    account = f" ({attempt.account})" if attempt.account else ""
    title = " ".join(f"kartra-sync: {attempt.pipeline}{account} {words}".split())
    # The advice is masked already: as a part of the line, the name of a pipeline would pass for an address.
    shown = [_shown(line) for line in lines if line] + ([_cut(advice)] if advice else [])
    return Notice(_shown(title), "\n".join(shown))


def _shown(text: str) -> str:
    """For people in a channel: no address, nothing that hides or turns the line, and no more than is read."""
    return _cut(mask_text(text))


def _cut(text: str) -> str:
    text = defused(text)
    return text if len(text) <= MAX_LINE_CHARS else f"{text[:MAX_LINE_CHARS]} …"


def _between(before: Health | None, *, so_far: bool = False) -> list[str]:
    """What came before, where that was trouble."""
    if before is None or before.state == "ok":
        return []
    words = {
        "partial": "was not done in full",
        "stopped": "was stopped",
        "failed": "failed",
        "late": "was late",
    }
    times = " once" if before.attempts == 1 else f" {before.attempts} times"
    times = "" if before.state == "late" else times  # it counts checks, not nights
    opening = "So far it" if so_far else "Before, it"
    lines = [f"{opening} {words[before.state]}{times}, since {before.since[:16].replace('T', ' ')} UTC."]
    if before.heard.refused:
        lines.append(f"  {counted(before.heard.refused, 'lead')} refused for the first time")
    return lines + [f"  {count} × {reason}" for reason, count in before.heard.reasons.items()]


def _what_to_do(occasion: str, file: str) -> str:
    file = file if _IN_A_FLEET.fullmatch(file) else mask_text(file)
    next_command = {
        "failed": f"kartra-sync run {file} is safe to repeat; kartra-sync status {file} says what waits.",
        "stopped": f"See what a run would send: kartra-sync plan {file}",
        "refusals": f"Who, and why: kartra-sync rejects {file}",
        "partial": f"What is left, and why: kartra-sync show {file}",
        "late": f"Is its schedule still there? kartra-sync runs {file}",
    }
    return next_command.get(occasion, "")
