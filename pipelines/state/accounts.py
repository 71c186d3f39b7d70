"""Accounts by all credentials they were ever reached with, and their scopes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.state.clock import instant
from pipelines.state.database import Database


@dataclass(frozen=True, slots=True)
class Account:
    """An account: the hash under which the state keeps everything of it, and a name for people."""

    account: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class KnownScope:
    """A pipeline in an account and mode. `file` is where it last ran from; early versions did not note it."""

    scope_id: int
    pipeline: str
    account: str
    mode: str
    file: str | None
    has_leads: bool
    has_operations: bool
    has_unknown: bool = False
    """Whether a call of it has no outcome: what it did is nowhere else yet."""

    @property
    def is_used(self) -> bool:
        return self.has_leads or self.has_operations or self.has_unknown


@dataclass(frozen=True, slots=True)
class ModeShown:
    """What the address of a lead that was read back has shown, and when."""

    mode: str
    at: datetime


class Accounts:
    """The accounts of all pipelines of this state."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("accounts")

    def of(self, credentials: str) -> Account | None:
        row = self._queries.of(credentials=credentials)
        return None if row is None else Account(row["account"], row["name"])

    def every(self) -> dict[str, Account]:
        """By the hash of the credentials that an account was reached with."""
        return {row["credentials"]: Account(row["account"], row["name"]) for row in self._queries.every()}

    def keep(self, credentials: str, account: str, name: str | None) -> None:
        """Notes that these credentials open this account."""
        with self._database.transaction():
            self._queries.keep(
                credentials=credentials, account=account, name=name, now=self._database.timestamp()
            )

    def scopes(self) -> list[KnownScope]:
        """All scopes; the one that ran last comes first."""
        return [
            KnownScope(
                row["scope_id"],
                row["pipeline"],
                row["account"],
                row["mode"],
                row["file"],
                bool(row["has_leads"]),
                bool(row["has_operations"]),
                bool(row["has_unknown"]),
            )
            for row in self._queries.scopes()
        ]

    def known_leads(self, scope: KnownScope, count: int) -> list[tuple[str, str]]:
        """(number, address) of leads that can be read back, those that changed last first."""
        rows = self._queries.known_leads(scope_id=scope.scope_id, count=count)
        return [(row["lead_id"], row["email"] or "") for row in rows]

    def known_transactions(self, scope: KnownScope, count: int) -> list[str]:
        rows = self._queries.known_transactions(scope_id=scope.scope_id, count=count)
        return [row["transaction_id"] for row in rows]

    def mode_shown(self, account: str) -> ModeShown | None:
        """The mode of the App that stored addresses have shown last; None while nobody has looked."""
        row = self._queries.mode_shown(account=account)
        return None if row is None else ModeShown(row["mode"], instant(row["shown_at"]))

    def keep_mode(self, account: str, mode: str) -> None:
        """What a lead that was read back has shown."""
        with self._database.transaction():
            self._queries.keep_mode(account=account, mode=mode, now=self._database.timestamp())

    def known_before(self, scope_id: int, keys: Iterable[str], count: int) -> list[tuple[str, str]]:
        """(number, address) of leads that we created, without these keys."""
        rows = self._queries.known_before(scope_id=scope_id, keys=json.dumps(sorted(keys)), count=count)
        return [(row["lead_id"], row["email"] or "") for row in rows]

    def hand_over(self, scope_id: int, other_scope: int, keys: Iterable[str] | None) -> int:
        """Leads, all where `keys` is None, are known in another scope from now on; gives how many.

        Where that knows the key already, what it knows stays.
        """
        with self._database.transaction(alone=True):
            said = None if keys is None else json.dumps(sorted(keys))
            handed = [row["key"] for row in self._queries.leads_handed(scope_id=scope_id, keys=said)]
            # Hashes and looks first: they name leads of this scope, which have left it a line later.
            these = json.dumps(handed)
            self._queries.forget_hashes(scope_id=scope_id, keys=these)
            self._queries.forget_looks(scope_id=scope_id, keys=these)
            self._queries.hand_over(scope_id=scope_id, other_scope=other_scope, keys=these)
            self._queries.drop_handed(scope_id=scope_id, keys=these)
        return len(handed)

    def move(self, scope: KnownScope, *, pipeline: str, mode: str) -> None:
        """Moves everything of a scope, its runs included, to another name or mode."""
        with self._database.transaction(alone=True):
            unused = self._queries.unused(pipeline=pipeline, account=scope.account, mode=mode)
            if unused is not None:  # swap the two: the name has to be free for a moment
                self._queries.move(scope_id=unused, pipeline="", mode=scope.mode)
            self._move(scope.scope_id, pipeline, mode)
            if unused is not None:
                self._move(unused, scope.pipeline, scope.mode)

    def _move(self, scope_id: int, pipeline: str, mode: str) -> None:
        self._queries.move(scope_id=scope_id, pipeline=pipeline, mode=mode)
        self._queries.move_runs(scope_id=scope_id, pipeline=pipeline)

    def shared(self, scope_id: int, others: Sequence[KnownScope]) -> dict[str, int]:
        """How many staged records have the key of a lead of each other pipeline."""
        found = {
            other.pipeline: self._queries.shared(other_scope=other.scope_id)
            for other in others
            if other.scope_id != scope_id
        }
        return {pipeline: count for pipeline, count in found.items() if count}


def is_left(scope: KnownScope) -> bool:
    """Whether the pipeline file of a scope is gone or unknown: it may have been renamed."""
    return scope.file is None or not Path(scope.file).exists()
