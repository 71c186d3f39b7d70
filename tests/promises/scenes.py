"""The promises of a run, each in a file of its own; here is what those files share.

A test waits most of its time: for permits, for a process to start, for effects to settle. So the tests of
a file are split into scenes, which play side by side, each with a project and a sandbox of its own, and
the tests, which look at what a scene saw. Their sandboxes have no limit: many processes at once make the
clock of a small machine stutter, and the limit has tests of its own (P2), which play one after another.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.kartra.sandbox import Account, Sandbox, demo_account
from connectors.kartra.sandbox.account import SandboxLead
from connectors.kartra.sandbox.emulator import ReceivedCall
from tests.conftest import Project, Result
from tests.state.places import beside

SIDE_BY_SIDE = 8
PATIENCE_S = 60.0

SIZES = {"small": "610", "medium": "611", "large": "612"}
FRUITS = {"apple": "1", "pear": "2", "plum": "3"}
LEADS = ("unchanged", "created", "edited", "removed", "skipped", "rejected", "parked", "deferred")

Scene = Callable[[Project, Sandbox], Any]
Held = dict[str, dict[str, Any]]


class Scenes:
    """The scenes of one file. `play` starts all of them; `scenes["name"]` waits for what one of them saw."""

    def __init__(self) -> None:
        self._scenes: dict[str, Scene] = {}
        self._playing: dict[str, Future[Any]] = {}

    def add(self, scene: Scene, name: str = "") -> Scene:
        self._scenes[name or scene.__name__] = scene
        return scene

    def play(self, folder: Path) -> Iterator["Scenes"]:
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="scene") as pool:
            for name, scene in self._scenes.items():
                self._playing[name] = pool.submit(_play, scene, folder / name.replace(" ", "-"))
            try:
                yield self
            finally:
                pool.shutdown(cancel_futures=True)

    def __getitem__(self, name: str) -> Any:
        return self._playing[name].result()


def _play(scene: Scene, folder: Path) -> Any:
    folder.mkdir()
    project = Project(folder)
    with Sandbox(account_without_leads(), calls_per_second=0) as sandbox:
        project.aim(sandbox)
        return scene(project, sandbox)


def account_without_leads() -> Account:
    return replace(demo_account(), leads={}, transactions={}, subscriptions={})


# --- leads as whole values


def wished(row: Mapping[str, str], *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The lead that a row under LOAD asks for, as the account holds it. Columns in `without` are blank."""
    row = {name: "" if name in without else cell for name, cell in row.items()}
    fields = {"first_name": row["First"], "city": row["City"]}
    custom_fields: dict[str, Any] = {
        "note": row["Note"],
        "size": [SIZES[row["Size"]]] if row["Size"] else [],
        "fruits": [FRUITS[label] for label in row["Fruits"].split(";") if label],
    }
    return {
        "fields": {name: value for name, value in fields.items() if value},
        "custom_fields": {name: value for name, value in custom_fields.items() if value},
        "tags": {"Imported", *(tag for tag in row["Tags"].split(";") if tag)},
        "lists": {"News": True},
        "sequences": {"Onboarding": ("1", "active")},
        "starts": [("Onboarding", "1")],
    }


def all_wished(rows: list[dict[str, str]]) -> Held:
    return {row["Email"]: wished(row) for row in rows}


def held_lead(lead: SandboxLead) -> dict[str, Any]:
    return {
        "fields": dict(lead.fields),
        "custom_fields": {
            name: list(value) if isinstance(value, list) else value
            for name, value in lead.custom_fields.items()
        },
        "tags": set(lead.tags),
        "lists": dict(lead.lists),
        "sequences": {name: (entry.step, entry.status) for name, entry in lead.sequences.items()},
        "starts": list(lead.sequence_starts),
    }


def held(sandbox: Sandbox) -> Held:
    """Every lead of the account, by address."""
    with sandbox.lock:
        return {lead.email: held_lead(lead) for lead in sandbox.account.leads.values()}


# --- calls


@dataclass(frozen=True)
class Said:
    """What one call asked for: the fields of `lead`, its custom fields, and the actions in their order."""

    lead: dict[str, str]
    custom_fields: dict[str, Any]
    actions: list[tuple[str, ...]]


def said(call: ReceivedCall) -> Said:
    form: Any = call.form
    lead = dict(form.get("lead", form.get("get_lead", {})))
    custom_fields = {
        item["field_identifier"]: list(value.values()) if isinstance(value, dict) else value
        for item in lead.pop("custom_fields", {}).values()
        for value in [item["field_value"]]
    }
    actions = [tuple(action.values()) for action in form.get("actions", {}).values()]
    return Said(lead, custom_fields, actions)


def inventories(calls: list[ReceivedCall]) -> list[str]:
    return sorted(command for call in calls for command in call.commands if command.startswith("retrieve_"))


def about_leads(calls: list[ReceivedCall]) -> list[ReceivedCall]:
    return [call for call in calls if not inventories([call])]


def calls_for(calls: list[ReceivedCall], lead: SandboxLead) -> list[tuple[str, ...]]:
    """The commands of each call about one lead, by id or by address."""
    ours = (lead.id, lead.email)
    return [
        call.commands
        for call in about_leads(calls)
        if said(call).lead.get("id", said(call).lead.get("email")) in ours
    ]


# --- runs


@dataclass(frozen=True)
class Seen:
    """One run, the calls it made, and what the account held after it."""

    result: Result
    calls: list[ReceivedCall]
    held: Held

    @property
    def leads(self) -> dict[str, int]:
        """The counters that are not 0."""
        return {name: count for name, count in self.result.json["leads"].items() if count}


def run_seen(project: Project, sandbox: Sandbox) -> Seen:
    before = len(sandbox.calls)
    result = project.run()
    return Seen(result, sandbox.calls[before:], held(sandbox))


def adds_up(result: Result) -> bool:
    """read = invalid + duplicate + blocked + what became of the rest."""
    rows, leads = result.json["rows"], dict(result.json["leads"])
    assert set(leads) == set(LEADS)
    del leads["removed"]
    return bool(rows["read"] == rows["invalid"] + rows["duplicate"] + rows["blocked"] + sum(leads.values()))


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"in vain waited for: {what}"
        time.sleep(0.005)


def outbox(project: Project) -> list[tuple[str, str, int]]:
    """(key, state, attempts) of every entry of the state file, sorted."""
    rows = beside(project.place)("SELECT key, state, attempts FROM outbox")
    return sorted((str(key), str(state), int(attempts)) for key, state, attempts in rows)


def all_of_state(project: Project) -> bytes:
    """Everything that a state holds: the bytes of its file, or all rows of all its tables."""
    if isinstance(project.place, Path):
        return project.place.read_bytes()
    look = beside(project.place)
    named = look(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = :its", its=project.place.schema
    )
    return "\n".join(str(row) for (name,) in named for row in look(f"SELECT t::text FROM {name} t")).encode()


def lose_state(project: Project) -> None:
    if not isinstance(project.place, Path):
        beside(project.place)(f"DROP SCHEMA {project.place.schema} CASCADE")
        return
    for path in project.state.parent.iterdir():
        path.unlink()
