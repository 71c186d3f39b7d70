"""How each pipeline is, as it was last told: so that a failure is told once, and its end as well."""

from dataclasses import dataclass
from typing import Literal

from pipelines.state.database import Database

State = Literal["ok", "partial", "failed", "stopped", "late"]


@dataclass(frozen=True, slots=True)
class Health:
    """Since when, and in how many attempts, a pipeline is so; `unsent` is a notice that no channel took."""

    state: State
    since: str
    attempts: int
    unsent: str | None = None


class HealthRecords:
    """One for each pipeline of this state."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("health")

    def of(self, pipeline: str) -> Health | None:
        row = self._queries.of(pipeline=pipeline)
        return Health(row["state"], row["since"], row["attempts"], row["unsent"]) if row else None

    def keep(self, pipeline: str, health: Health) -> None:
        with self._database.transaction():
            self._queries.keep(
                pipeline=pipeline,
                state=health.state,
                since=health.since,
                attempts=health.attempts,
                unsent=health.unsent,
            )
