"""Attempts that could not be noted because the state could not be reached, beside the pipeline file.

The next one that reaches it takes them in, so that every night has its row in `runs`; until then it is
remembered here what people were told already.
"""

import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b

from connectors.errors import ConfigError
from pipelines.config.watched import Watched
from pipelines.private_file import replaced_private
from pipelines.state.health import Health, health_from

log = logging.getLogger("kartra_sync.notify")

MAX_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of `runs` that is still to be written."""

    run_id: str
    at: str
    mode: str
    status: str
    message: str


class Unreached:
    """What is kept of one pipeline; nothing while its state can be reached."""

    def __init__(self, watched: Watched) -> None:
        # A fleet runs one file for many accounts, each with a state of its own.
        of_state = blake2b(f"{watched.account}\n{watched.state}".encode(), digest_size=4).hexdigest()
        self._path = watched.folder / f".kartra-sync-{watched.pipeline}-{of_state}.json"
        self.attempts: list[Kept] = []
        self.health: Health | None = None
        self._read()

    def _read(self) -> None:
        # Damaged by whatever took the state away: then these nights have no row.
        with suppress(OSError, ValueError, KeyError, TypeError):
            data = json.loads(self._path.read_text("utf-8"))
            self.attempts = [Kept(**each) for each in data["attempts"]]
            self.health = health_from(data["health"]) if data["health"] else None

    def add(self, attempt: Kept) -> None:
        self.attempts = [*self.attempts, attempt][-MAX_KEPT:]

    def write(self) -> None:
        data = {
            "attempts": [asdict(each) for each in self.attempts],
            "health": self.health.to_json() if self.health else None,
        }
        try:
            with replaced_private(self._path, "utf-8") as handle:
                json.dump(data, handle)
        except (ConfigError, OSError):
            log.info(
                "the state cannot be reached, and %s cannot be written: this attempt is noted nowhere",
                self._path.name,
            )

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)
