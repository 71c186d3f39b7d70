"""The names and custom fields of an account as Kartra last listed them."""

import json
from datetime import datetime
from typing import Any

from pipelines.state.clock import instant
from pipelines.state.database import Database

_NAMED = ("tags", "lists", "sequences")


class Inventories:
    """Lists by account and kind."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("inventories")

    def get(self, account: str, kind: str) -> tuple[datetime, Any] | None:
        """When Kartra last listed this kind, and the list."""
        row = self._queries.get(account=account, kind=kind)
        try:
            return None if row is None else (instant(row["read_at"]), json.loads(row["content"]))
        except ValueError:  # the file is damaged here, and Kartra can be asked again
            return None

    def names(self, account: str) -> dict[str, frozenset[str]]:
        """The names of tags, lists and sequences that Kartra has listed, however long ago."""
        found = {kind: self.get(account, kind) for kind in _NAMED}
        return {kind: frozenset(listed[1] or ()) for kind, listed in found.items() if listed is not None}

    def keep(self, account: str, kind: str, content: Any) -> None:
        now = self._database.timestamp()
        self._queries.keep(account=account, kind=kind, content=json.dumps(content), now=now)

    def forget(self, account: str) -> None:
        self._queries.forget(account=account)
