"""What a doctor found of each account, and the mark by which it knows its own lead again."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.state.database import Database

MARKER_BYTES = 6


@dataclass(frozen=True, slots=True)
class Examined:
    """`found` is the JSON of a behaviour; None until a doctor has come to its end."""

    marker: str
    given: Mapping[str, list[str]] = field(default_factory=dict)
    found: str | None = None
    found_at: str | None = None


class Examinations:
    """One for each account of this state."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("doctor")

    def of(self, account: str) -> Examined | None:
        row = self._queries.of(account=account)
        if row is None:
            return None
        return Examined(row["marker"], _names(row["given"]), row["found"], row["found_at"])

    def begin(self, account: str) -> Examined:
        """The examination of an account, with its marker, which is made for the first one."""
        with self._database.transaction():
            self._queries.mark(account=account, marker=f"doctor-{secrets.token_hex(MARKER_BYTES)}")
            begun = self.of(account)
        assert begun is not None  # noqa: S101 - it was made just now
        return begun

    def give(self, account: str, given: Mapping[str, list[str]]) -> None:
        """Notes what the doctor's lead has, before it gets it: after a kill the next one takes it back."""
        with self._database.transaction():
            self._queries.give(account=account, given=json.dumps(given))

    def keep(self, account: str, found: str) -> None:
        with self._database.transaction():
            self._queries.keep(account=account, found=found, now=self._database.timestamp())

    def knows(self, address: str) -> bool:
        """Whether an address, in small letters, is that of a lead of any pipeline of this state."""
        return bool(self._queries.knows(address=address))


def _names(text: str) -> dict[str, list[str]]:
    try:
        given: Any = json.loads(text)
    except ValueError:  # the file is damaged here: the profile of the lead shows it as well
        return {}
    return given if isinstance(given, dict) else {}
