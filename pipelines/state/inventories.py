"""Names and custom fields of an account, as Kartra listed them last."""

import json
from datetime import datetime
from typing import Any

from pipelines.state.clock import instant, timestamp
from pipelines.state.database import Database
from pipelines.state.scope import Scope


class Inventories:
    """Lists by account and kind."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope

    def get(self, account: str, kind: str) -> tuple[datetime, Any] | None:
        """When Kartra listed this kind of thing last, and the list."""
        rows = self._database.run_line(
            "SELECT read_at, content FROM inventories WHERE account = :account AND kind = :kind",
            account=account,
            kind=kind,
        )
        return (instant(rows[0].read_at), json.loads(rows[0].content)) if rows else None

    def keep(self, account: str, kind: str, content: Any) -> None:
        self._database.run_line(
            "INSERT OR REPLACE INTO inventories (account, kind, content, read_at)"
            " VALUES (:account, :kind, :content, :now)",
            account=account,
            kind=kind,
            content=json.dumps(content),
            now=timestamp(),
        )

    def forget(self, account: str) -> None:
        self._database.run_line("DELETE FROM inventories WHERE account = :account", account=account)
