"""How each pipeline is, as it was last told: so that a failure is told once, and its end as well."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pipelines.state.database import Database

State = Literal["ok", "partial", "failed", "stopped", "late"]
EVERY_CHANNEL = "*"
"""In `Health.unsent`, for a text that each channel is owed."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What has been wrong since the trouble began."""

    reasons: Mapping[str, int] = field(default_factory=dict)
    """Each message, and in how many attempts it was the reason."""
    refused: int = 0
    """Leads that were refused for the first time."""
    told_at: str = ""
    """When people last heard of it."""
    is_news: bool = False
    """Whether something was added that nobody has heard of yet."""


@dataclass(frozen=True, slots=True)
class Health:
    """Since when, and in how many attempts, a pipeline is so."""

    state: State
    since: str
    attempts: int
    unsent: Mapping[str, str] = field(default_factory=dict)
    """By place of the channel in the file, the notices that it has not taken."""
    heard: Heard = Heard()

    def to_json(self) -> dict[str, Any]:
        """As `health_from` reads it."""
        return asdict(self)


def health_from(data: Mapping[str, Any]) -> Health:
    return Health(
        data["state"], data["since"], data["attempts"], data["unsent"], Heard(**(data["heard"] or {}))
    )


class HealthRecords:
    """One for each pipeline of this state."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("health")

    def of(self, pipeline: str) -> Health | None:
        row = self._queries.of(pipeline=pipeline)
        if row is None:
            return None
        heard = json.loads(row["heard"]) if row["heard"] else {}
        return health_from({**dict(row), "unsent": _unsent(row["unsent"]), "heard": heard})

    def keep(self, pipeline: str, health: Health) -> None:
        data = health.to_json()
        with self._database.transaction():
            self._queries.keep(
                pipeline=pipeline,
                state=health.state,
                since=health.since,
                attempts=health.attempts,
                unsent=json.dumps(data["unsent"]) if health.unsent else None,
                heard=json.dumps(data["heard"]),
            )


def _unsent(text: str | None) -> dict[str, str]:
    """Before version 24 one text was kept for all channels."""
    if not text:
        return {}
    return dict(json.loads(text)) if text.startswith("{") else {EVERY_CHANNEL: text}
