"""Entries of the outbox and answers of Kartra, as the tests of delivery put them together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.kartra.answers import ActionAnswer, Answer, Effect, uniform
from connectors.kartra.commands import Call, get_lead
from pipelines.changes.diff import Change
from pipelines.contacts.lead import CalendarClass, DesiredLead, Points, Snapshot
from pipelines.load.task import Now, Rules
from pipelines.state.outbox import Entry

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SETTLE_S = 10.0
RULES = Rules("update", "upsert", (), "report", "live", SETTLE_S)
WISH = DesiredLead(
    "ann@example.org",
    fields={"city": "Lyon"},
    tags=("VIP",),
    lists=("News",),
    sequences=(("Onboarding", "1"),),
)
READ = get_lead(email=WISH.email)


def entry(desired: DesiredLead | None = WISH, **more: Any) -> Entry:
    """An entry that was planned."""
    plain = Entry(
        entry_id=1,
        key="ann",
        kind="load" if desired else "removal",
        row=1 if desired else None,
        digest=b"digest" if desired else b"",
        wish=None,
        desired=desired,
        change=None,
        attempts=0,
        sent_at=None,
        snapshot=None,
        origin=None,
    )
    return replace(plain, **more)


def now(seconds: float = 0.0, **more: Any) -> Now:
    """So many seconds after AT."""
    return Now(AT + timedelta(seconds=seconds), 1000.0 + seconds, **more)


def wrote(change: Change, *effects: Effect | str, lead_id: str | None = None) -> Answer:
    """The answer to a write: per action its effect, or the error type of its refusal."""
    actions = [
        ActionAnswer(Effect.REFUSED, effect) if isinstance(effect, str) and effect.isdigit() else
        ActionAnswer(Effect(effect))
        for effect in effects
    ]  # fmt: skip
    assert len(actions) == len(change.commands)
    worst = min((action.effect for action in actions), key=list(WORST_FIRST).index)
    number = next((action.type for action in actions if action.effect is worst), None)
    body = {"lead_details": {"id": lead_id}} if lead_id else {"status": "success"}
    return Answer(worst, tuple(actions), number, body)


WORST_FIRST = (Effect.FATAL, Effect.RETRY_LATER, Effect.UNKNOWN, Effect.REFUSED, Effect.DONE)


def everywhere(change: Change, effect: Effect) -> Answer:
    """One effect for a whole write: of a call that got no answer, or never left."""
    count = len(change.commands)
    return Answer(effect, tuple(ActionAnswer(effect) for _ in range(count)), None, {})


def silent() -> Answer:
    """No answer to a read."""
    return uniform(READ, Effect.UNKNOWN)


def no_lead(number: str = "234") -> Answer:
    return Answer(Effect.REFUSED, (ActionAnswer(Effect.REFUSED, number),), number, {"type": number})


def profile(
    snapshot: Snapshot,
    *,
    score: int = 0,
    joined: datetime | None = AT,
    lists: Mapping[str, bool] | None = None,
    call: Call = READ,
) -> Answer:
    """The answer to get_lead of a lead that is as a snapshot says. It joined at that instant."""
    details = {
        "id": snapshot.lead_id or "39260",
        "email": snapshot.email,
        **snapshot.fields,
        "tags": [{"tag_name": name} for name in sorted(snapshot.tags)],
        "lists": [
            {"list_name": name, "active": str(int(active))}
            for name, active in (lists or dict.fromkeys(sorted(snapshot.lists), True)).items()
        ],
        "sequences": [{"sequence_name": name, "step": "1"} for name in sorted(snapshot.sequences)],
        "custom_fields": [],
        "score": str(score),
    }
    if joined is not None:
        details["date_joined"] = (joined - timedelta(hours=5)).strftime("%Y-%m-%d %H:%M:%S")
    body = {"status": "success", "lead_details": details}
    return Answer(
        Effect.DONE, tuple(ActionAnswer(Effect.DONE, None, body) for _ in call.commands), None, body
    )


def stored(desired: DesiredLead, **more: Any) -> Snapshot:
    """A lead that has everything it is to have."""
    snapshot = Snapshot(
        desired.email,
        "39260",
        fields=desired.fields,
        tags=frozenset(desired.tags),
        lists=frozenset(desired.lists),
        sequences=frozenset(name for name, _ in desired.sequences),
        points=desired.points.amount if desired.points else 0,
    )
    return replace(snapshot, **more)


def wish(*, points: int | None = None, calendars: Sequence[CalendarClass] = (), **more: Any) -> DesiredLead:
    return replace(
        WISH, points=Points(points) if points is not None else None, calendars=tuple(calendars), **more
    )
