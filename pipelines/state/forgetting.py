"""Erasing a person, and knowing again who was erased."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.contacts.forgotten import SALT_BYTES, Forgotten, cells_of, hash_name, names_in
from pipelines.errors import LockedError, StateError
from pipelines.state.clock import timestamp
from pipelines.state.database import Database
from pipelines.state.runs import Runs
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Erased:
    """A person that was forgotten: under which names, and how many rows went, by table."""

    names: frozenset[str] = field(repr=False)
    rows: Mapping[str, int]


class Forgetting:
    """Who was forgotten, in all pipelines of this file."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._runs = Runs(database, scope)

    def forgotten(self) -> Forgotten | None:
        """Who was forgotten, in all pipelines of this file; None when nobody was."""
        hashes = self._database.run_line("SELECT hash FROM forgotten")
        return Forgotten(self._salt(), frozenset(row.hash for row in hashes)) if hashes else None

    def forget(self, names: frozenset[str]) -> Erased:
        """Erase the person of these keys and addresses in every pipeline, and keep the hashes of them.

        Keys that have one of the addresses go too. The bytes are gone after `wipe`. Raises LockedError
        while a pipeline of this file is being run: the run would write the person back.
        """
        self._database.run_line("PRAGMA secure_delete = ON")
        with self._database.transaction():
            if running := self._runs.running():
                pipeline, holder = running[0]
                raise LockedError(f"{holder.told(pipeline)}: nobody was forgotten")
            names |= {row.name for row in self._database.run("addresses_of", names=json.dumps(sorted(names)))}
            names |= {row.name for row in self._database.run("keys_of", names=json.dumps(sorted(names)))}
            names |= {
                row.name for row in self._database.run("operation_keys_of", names=json.dumps(sorted(names)))
            }
            listed = json.dumps(sorted(names))
            salt = self._salt()
            self._database.run_lines(
                "INSERT OR IGNORE INTO forgotten (hash, forgotten_at) VALUES (:hash, :now)",
                [{"hash": hash_name(salt, name), "now": timestamp()} for name in names],
            )
            rows = {
                "leads": len(self._database.run("forget_leads", names=listed)),
                "outbox": len(self._database.run("forget_outbox", names=listed)),
                "refusals": len(self._database.run("forget_refusals", names=listed)),
                "rejects": self._forget_rejects(names),
                "imports": len(self._database.run("forget_imports", names=listed)),
                "operations": len(self._database.run("forget_operations", names=listed)),
            }
        return Erased(names, rows)

    def wipe(self) -> None:
        """Write the file anew without what was ever deleted, and empty its journal.

        Raises StateError where that cannot be done now; it may be asked for again.
        """
        self._database.run_line("VACUUM")
        (done,) = self._database.run_line("PRAGMA wal_checkpoint(TRUNCATE)")
        if done[0]:
            raise StateError(f"{self._database.path}: another program is reading it")

    def _forget_rejects(self, names: frozenset[str]) -> int:
        records = self._database.stream("SELECT rowid AS reject_id, record FROM rejects WHERE record <> ''")
        found = [
            {"reject_id": row.reject_id}
            for row in records
            if not names.isdisjoint(names_in(cells_of(row.record)))
        ]
        self._database.run_lines("DELETE FROM rejects WHERE rowid = :reject_id", found)
        return len(found)

    def _salt(self) -> bytes:
        """The key of the hashes of this file, made when the first person is forgotten."""
        kept = self._database.run_line("SELECT salt FROM forgotten_salt")
        if kept:
            return bytes(kept[0].salt)
        salt = secrets.token_bytes(SALT_BYTES)
        self._database.run_line("INSERT INTO forgotten_salt (only, salt) VALUES (1, :salt)", salt=salt)
        return salt
