"""Erases a person, and recognises people who were erased."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.contacts.forgotten import SALT_BYTES, Forgotten, cells_of, hash_name, names_in
from pipelines.errors import LockedError
from pipelines.state.database import Database
from pipelines.state.runs import Runs


@dataclass(frozen=True, slots=True)
class Erased:
    """A forgotten person: their names, and how many rows were erased, by table."""

    names: frozenset[str] = field(repr=False)
    rows: Mapping[str, int]


class Forgetting:
    """The forgotten people of all pipelines of this file."""

    def __init__(self, database: Database, runs: Runs) -> None:
        self._database, self._runs = database, runs
        self._queries = database.queries("forgetting")

    def forgotten(self) -> Forgotten | None:
        """The forgotten people of all pipelines of this file; None if there are none."""
        hashes = self._queries.forgotten()
        return Forgotten(self._salt(), frozenset(row["hash"] for row in hashes)) if hashes else None

    def forget(self, names: frozenset[str]) -> Erased:
        """Erase the person of these keys and addresses in every pipeline, and keep the hashes of them.

        Keys that have one of the addresses go too. The bytes are gone after `Database.wipe`. Raises
        LockedError while a pipeline of this file is being run: the run would write the person back.
        """
        self._database.erase_what_is_deleted()
        # Alone, as a lease is taken: no run may begin between the question who is running and the erasing.
        with self._database.transaction(alone=True):
            if running := self._runs.running():
                pipeline, holder = running[0]
                raise LockedError(f"{holder.message(pipeline)}: nobody was forgotten")
            names = self._all_names(names)
            salt = self._salt()
            now = self._database.timestamp()
            self._queries.add([{"hash": hash_name(salt, name), "now": now} for name in names])
            rows = {
                "leads": self._queries.forget_leads(names=_json(names)),
                "outbox": self._queries.forget_outbox(names=_json(names)),
                "refusals": self._queries.forget_refusals(names=_json(names)),
                "rejects": self._forget_rejects(names),
                "plans": self._queries.forget_plans(names=_json(names)),
                "imports": self._queries.forget_imports(names=_json(names)),
                "operations": self._queries.forget_operations(names=_json(names))
                + self._queries.forget_barred(names=_json(names)),
            }
        return Erased(names, rows)

    def _all_names(self, names: frozenset[str]) -> frozenset[str]:
        """Every key and address of the person, however many changes of address lie between."""
        same_person = (
            self._queries.addresses_of,
            self._queries.plan_addresses_of,
            self._queries.keys_of,
            self._queries.plan_keys_of,
            self._queries.operation_keys_of,
        )
        while more := {row["name"] for ask in same_person for row in ask(names=_json(names))} - names:
            names |= more
        return names

    def _forget_rejects(self, names: frozenset[str]) -> int:
        # Read one by one: in which column of a refused record a person stands, no query can know.
        found = [
            {"reject_id": reject_id}
            for part in self._queries.records_cursor()
            for reject_id, record in part
            if not names.isdisjoint(names_in(cells_of(record)))
        ]
        self._queries.forget_reject(found)
        return len(found) + int(self._queries.forget_rejects_of(names=_json(names)))

    def _salt(self) -> bytes:
        """The salt of this file's hashes, made when the first person is forgotten."""
        kept = self._queries.salt()
        if kept is not None:
            return bytes(kept)
        salt = secrets.token_bytes(SALT_BYTES)
        self._queries.keep_salt(salt=salt)
        return salt


def _json(names: frozenset[str]) -> str:
    return json.dumps(sorted(names))
