"""What a power loss leaves: nothing leaves the machine before everything written to the state is on the disk.

Watched from outside, by strace, on the real command. One worker, so that nothing is written for one lead
while the call of another leaves.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.campaigns.contacts import Contacts, account
from tests.conftest import Project
from tests.warm_start import COMMAND

LEADS = 8
_CALLS = "trace=fdatasync,fsync,pwrite64,write,sendto,sendmsg"
_BEGUN = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<fd>\d+)<(?P<path>[^>]*)>(?P<rest>.*)")
_ENDED = re.compile(r"(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>")
_UNFINISHED = "<unfinished ...>"


@dataclass(frozen=True)
class Left:
    """A request when its first bytes left: writes to the log since the request before, and those unsynced."""

    written: int
    unsynced: int


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> list[Left]:
    """Every request of one load, in order."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: apt-get install strace")
    project = Project(tmp_path_factory.mktemp("power"))
    trace = project.folder / "trace"
    contacts = Contacts(1, LEADS)
    with Sandbox(account(), calls_per_second=0) as sandbox:
        project.aim(sandbox)
        project.pipeline(contacts.load, kartra="workers: 1")
        project.contacts(contacts.table())
        watched = [strace, "-f", "-y", "-e", _CALLS, "-o", str(trace), COMMAND, "run", "p.yaml", "--json"]
        done = subprocess.run(
            watched,
            cwd=project.folder,
            env=project.command_environ(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if "ptrace" in done.stderr and not sandbox.calls:
            pytest.skip(f"strace may not watch here: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        assert contacts.judge(sandbox).lost == 0
    return list(_requests(trace))


def test_no_request_leaves_before_the_log_is_synced(requests: list[Left]) -> None:
    assert [left.unsynced for left in requests] == [0] * len(requests)


def test_each_lead_had_something_written_before_its_request(requests: list[Left]) -> None:
    assert len(requests) >= LEADS
    assert all(left.written > 0 for left in requests[-LEADS:])


def _requests(trace: Path) -> Iterator[Left]:
    """Writes count when they begin; a sync covers what was written before it began, once it has ended."""
    written = synced = seen = 0
    syncing: dict[str, int] = {}
    for line in trace.read_text(errors="replace").splitlines():
        if ended := _ENDED.match(line):
            synced = max(synced, syncing.pop(ended["thread"], 0))
            continue
        begun = _BEGUN.match(line)
        if begun is None:
            continue
        if begun["path"].endswith("kartra.db-wal"):
            if begun["name"] in ("pwrite64", "write"):
                written += 1
            elif line.endswith(_UNFINISHED):
                syncing[begun["thread"]] = written
            else:
                synced = written
        elif begun["name"] in ("sendto", "sendmsg") and '"POST /api' in begun["rest"]:
            yield Left(written - seen, written - synced)
            seen = written
