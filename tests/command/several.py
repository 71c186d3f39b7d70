"""Several pipelines in one folder, several commands side by side, and waiting for what must happen."""

import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from connectors.kartra.sandbox import ReceivedCall, Sandbox
from tests.conftest import Project, Result


def named_pipeline(project: Project, name: str, load: str, *, kartra: str = "") -> Path:
    """`<name>.yaml` with a pipeline of that name; all of a folder share one state file."""
    path = project.pipeline(load, kartra=kartra, name=f"{name}.yaml")
    text = path.read_text("utf-8").replace("pipeline: newsletter\n", f"pipeline: {name}\n", 1)
    path.write_text(text, encoding="utf-8")
    return path


def together(project: Project, commands: Sequence[Sequence[str]]) -> list[Result]:
    """The results of commands that do not disturb each other, in their order; three run at a time."""
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(lambda words: project.command(*words), commands))


def ended(process: "subprocess.Popen[str]") -> Result:
    """The result of a command from `project.start`."""
    stdout, stderr = process.communicate(timeout=60)
    return Result(process.returncode, stdout, stderr)


def wait_for(promise: Callable[[], Any], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not promise():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def writes(sandbox: Sandbox) -> list[ReceivedCall]:
    """The calls received that were to change something."""
    return [
        call
        for call in sandbox.calls
        if not all(cmd == "get_lead" or cmd.startswith("retrieve_") for cmd in call.commands)
    ]


def executed(calls: list[ReceivedCall]) -> int:
    """How many got as far as their commands: a call answered 429 comes a second time."""
    return sum(call.executed for call in calls)


def adds_up(summary: dict[str, Any]) -> bool:
    """The equation of counters that a run promises."""
    rows, leads = summary["rows"], summary["leads"]
    unsent = rows["invalid"] + rows["duplicate"] + rows["blocked"]
    return bool(rows["read"] == unsent + sum(leads.values()) - leads["removed"])


def stored(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """What the account holds, by address: what a load can give."""
    with sandbox.lock:
        return {
            lead.email: {
                "fields": dict(lead.fields),
                "custom_fields": dict(lead.custom_fields),
                "tags": set(lead.tags),
                "lists": dict(lead.lists),
                "starts": list(lead.sequence_starts),
            }
            for lead in sandbox.account.leads.values()
            if not lead.deleted
        }
