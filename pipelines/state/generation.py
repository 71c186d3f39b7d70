"""How far a state has come, and whether it is older than what was seen of it: a copy that was put back.

Such a state does not know what was done after it was copied. What a profile shows is found again by looking;
points, sequences, classes and money are not, so that before any of it is given a person has to say a word.
"""

import secrets
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import StateError
from pipelines.state.database import Database
from pipelines.state.seen import Seen
from pipelines.state.sqlite import SqliteDatabase


@dataclass(frozen=True, slots=True)
class Restored:
    """A state that is older than its account: step `behind` of it was seen before; 0 where none was."""

    copied_at: str | None
    behind: int

    def describe(self) -> str:
        told = []
        if self.copied_at:
            told.append(f"it was made as a copy at {self.copied_at[:16].replace('T', ' ')} UTC")
        if self.behind:
            told.append(f"step {self.behind:,} of it was seen here before, which it knows nothing of")
        return f"the state was put back from a copy ({'; '.join(told)})"


class Generation:
    """The number of the state, committed first and noted outside then: no crash makes a state look older."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("generation")
        self._seen = Seen(database.path, on_server=bool(database.dialect))

    def restored(self) -> Restored | None:
        """Whether this file is a copy that was put back. Writes nothing."""
        row = self._queries.current()
        ahead = self._ahead(row["state_id"], row["number"], row["behind"])
        if row["copied_at"] is None and not ahead:
            return None
        return Restored(row["copied_at"], ahead)

    def advance(self) -> None:
        """One step on; to be called before work begins, and now and then meanwhile.

        Within a transaction that is not committed yet nothing is done.
        """
        # What is noted outside cannot be rolled back with it.
        if self._database.is_together:
            return
        with self._database.transaction():
            row = self._queries.current()
            ahead = self._ahead(row["state_id"], row["number"], row["behind"])
            behind = ahead if ahead or row["copied_at"] else None
            self._queries.advance(behind=behind)
        if behind is not None and row["behind"] is None:
            self._database.empty_journal()  # from here on a journal beside the copy is its own
        self._seen.note(row["state_id"], max(row["number"] + 1, ahead))

    def go_on(self) -> None:
        """A person's word that this file is what counts from here on."""
        # A new identity, so that what was seen of the state before this copy does not count against it.
        self._queries.go_on(state_id=secrets.token_hex(16))

    def leave(self) -> None:
        """The state was moved elsewhere: from here on this one is a copy; inside a transaction."""
        self.mark_copy(self._database.timestamp())

    def mark_copy(self, at: str) -> None:
        """It says of itself that it is a copy, made at a time."""
        self._queries.mark_copy(at=at)

    def _ahead(self, state_id: str, number: int, behind: int | None) -> int:
        seen = self._seen.last(state_id)
        return max(behind or 0, seen if seen > number else 0)


def count_copy(state: Path) -> None:
    """Say in a state that a copy of it was made, which is behind from here on; not where it is only read."""
    with suppress(StateError), closing(SqliteDatabase(state)) as database:
        if database.is_of_this_version:
            Generation(database).advance()
