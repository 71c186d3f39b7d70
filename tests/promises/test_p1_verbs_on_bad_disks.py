"""P1 for every verb that writes: a disk that is full, fills up or is read-only, and a kill, lose nothing.

The whole folder of the project lies on a small disk of its own.
"""

import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.attacks.table import observe
from tests.command.several import ended, wait_for, writes
from tests.conftest import LOAD, Project, Result, contact, kill
from tests.disks import fill, mount

POINTS = LOAD + "points: 10\nguards: {max_edited: 100%}\n"
PULL = "pull: {into: tables.db, leads: {state: true}}\n"
LEADS = 12
OWN = "me+kartra@own.example"
"""The lead that the doctor makes."""
GOOD = "<!doctype html>what was there and is good\n"
ONCE = Counter({(10, 1): LEADS})
LATENCY_S = 0.1


def given(account: Account) -> Counter[tuple[int, int]]:
    """Points and beginnings of a sequence, over all leads."""
    return Counter(
        (lead.score, len(lead.sequence_starts)) for lead in account.leads.values() if lead.email != OWN
    )


@dataclass(frozen=True)
class Verb:
    """`prepare` gives its words, `wished` what the account holds once it is through, `out` what it writes."""

    prepare: Callable[[Project], tuple[str, ...]]
    wished: Counter[tuple[int, int]]
    out: str = ""
    calls: bool = False


def loaded(project: Project, count: int) -> None:
    project.contacts([contact(number) for number in range(count)])
    done = project.run()
    assert done.code == 0, done.stderr


def applied(project: Project) -> tuple[str, ...]:
    loaded(project, 4)
    project.contacts([contact(number) for number in range(LEADS)])
    planned = project.command("plan", "p.yaml", "--save", "--json")
    return ("apply", "p.yaml", str(planned.json["plan_id"]), "--yes")


def undone(project: Project) -> tuple[str, ...]:
    loaded(project, LEADS)
    return ("undo", "p.yaml", "last", "--yes")


def retried(project: Project) -> tuple[str, ...]:
    loaded(project, 4)
    project.contacts([contact(number) for number in range(4, LEADS)], name="again.csv")
    return ("retry", "p.yaml", "again.csv", "--yes")


def examined(project: Project) -> tuple[str, ...]:
    loaded(project, LEADS)
    return ("doctor", "p.yaml", "--address", OWN, "--yes")


def of(*words: str) -> Callable[[Project], tuple[str, ...]]:
    def prepare(project: Project) -> tuple[str, ...]:
        loaded(project, LEADS)
        return words

    return prepare


VERBS = {
    "apply": Verb(applied, ONCE, calls=True),
    "undo": Verb(undone, Counter({(0, 1): LEADS}), calls=True),
    "retry": Verb(retried, ONCE, calls=True),
    "doctor": Verb(examined, ONCE, calls=True),
    "plan": Verb(of("plan", "p.yaml", "--save"), ONCE),
    "backup": Verb(of("state", "backup", "p.yaml", "--to", "kept.db"), ONCE, "kept.db"),
    "copy": Verb(of("state", "copy", "p.yaml", "copied.db"), ONCE, "copied.db"),
    "forget": Verb(of("state", "forget", "p.yaml", "lead1@example.org", "--yes"), ONCE),
    "verify": Verb(of("state", "verify", "p.yaml"), ONCE),
    "report": Verb(of("report", "p.yaml", "--html", "r.html", "--replace"), ONCE, "r.html"),
    "show": Verb(of("show", "p.yaml", "--html", "s.html", "--replace"), ONCE, "s.html"),
    "outcomes": Verb(of("outcomes", "p.yaml", "--csv", "o.csv", "--replace"), ONCE, "o.csv"),
    "export": Verb(of("export", "p.yaml", "--to", "out"), ONCE),
    "import": Verb(of("export-import", "p.yaml", "--to", "import"), ONCE),
    "support": Verb(of("support", "p.yaml", "--to", "support.json"), ONCE, "support.json"),
}
LOOKS = ("verify",)
"""What needs no right to write."""


# --- a disk of its own


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    mount("-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def project(disk: Path) -> Project:
    return Project(disk, on_a_file=True)


def prepared(name: str, project: Project, sandbox: Sandbox) -> tuple[str, ...]:
    sandbox.set_options(calls_per_second=0)
    path = project.pipeline(POINTS, kartra="settle_s: 1\nworkers: 2")
    path.write_text(path.read_text(encoding="utf-8") + PULL, encoding="utf-8")
    words = VERBS[name].prepare(project)
    if "--replace" in words:
        (project.folder / VERBS[name].out).write_text(GOOD, encoding="utf-8")
    return words


def left(project: Project, name: str) -> str:
    """What lies where the verb writes: nothing, what was there before, or a part of something."""
    place = project.folder / VERBS[name].out
    parts = [one.name for one in project.folder.rglob("*") if one.name.endswith(".part")]
    if not VERBS[name].out or not place.exists():
        return " ".join(["nothing", *parts])
    return (
        "what was there" if place.read_text(encoding="utf-8", errors="replace") == GOOD else "SOMETHING ELSE"
    )


def assert_one_line(stopped: Result) -> str:
    said = stopped.stderr
    assert stopped.code in (1, 2), (stopped.code, said, stopped.stdout)
    assert "Traceback" not in said + stopped.stdout
    (line,) = (line for line in said.splitlines() if line.startswith("kartra-sync: "))
    return line.replace("database or disk is full", "disk I/O error")  # SQLite says one or the other


def assert_through(name: str, words: tuple[str, ...], project: Project, account: Account) -> None:
    """Typed once more it goes on, or says that all of it was done."""
    done = project.command(*words)
    is_over = name == "apply" and f"the plan {words[2]} was applied" in done.stderr
    assert done.code == 0 or is_over, done.stderr
    assert given(account) == VERBS[name].wished
    verified = project.command("state", "verify", "p.yaml", "--json")
    assert (verified.code, verified.json["problems"]) == (0, [])


@pytest.mark.full(but=["apply"])
@pytest.mark.parametrize("name", [name for name in VERBS if name not in LOOKS])
def test_p1_a_verb_on_a_full_disk_is_one_line_and_harms_nothing(
    name: str, disk: Path, project: Project, sandbox: Sandbox, account: Account
) -> None:
    words = prepared(name, project, sandbox)
    before = given(account)
    ballast = fill(disk)
    stopped = project.command(*words)
    line = assert_one_line(stopped)
    assert left(project, name) == ("what was there" if "--replace" in words else "nothing")
    assert given(account) == before
    ballast.unlink()
    assert_through(name, words, project, account)
    observe(f"full-{name}", f"exit {stopped.code}: {line}", FOLDER=project.folder)


@pytest.mark.full
@pytest.mark.parametrize("name", list(VERBS))
def test_p1_a_verb_on_a_disk_that_is_read_only_is_one_line_and_harms_nothing(
    name: str, disk: Path, project: Project, sandbox: Sandbox, account: Account
) -> None:
    words = prepared(name, project, sandbox)
    before = given(account)
    mount("-o", "remount,ro", str(disk))
    stopped = project.command(*words)
    line = f"{stopped.stdout}{stopped.stderr}" if name in LOOKS else assert_one_line(stopped)
    assert "Put a backup" not in line
    assert left(project, name) == ("what was there" if "--replace" in words else "nothing")
    assert given(account) == before
    mount("-o", "remount,rw", str(disk))
    assert_through(name, words, project, account)
    observe(f"read-only-{name}", f"exit {stopped.code}: {line}", FOLDER=project.folder)


@pytest.mark.full
@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if verb.calls])
def test_p1_a_disk_that_fills_up_while_a_verb_sends_loses_nothing_and_doubles_nothing(
    name: str, disk: Path, project: Project, sandbox: Sandbox, account: Account
) -> None:
    words = prepared(name, project, sandbox)
    sandbox.set_options(calls_per_second=0, latency_s=LATENCY_S)
    sandbox.reset_calls()
    running = project.start(*words)
    wait_for(lambda: len(writes(sandbox)) >= 2 or running.poll() is not None)
    ballast = fill(disk)
    stopped = ended(running)
    line = assert_one_line(stopped)
    ballast.unlink()
    sandbox.set_options(calls_per_second=0)
    assert_through(name, words, project, account)
    observe(f"fills-{name}", f"exit {stopped.code}: {line}", FOLDER=project.folder)


@pytest.mark.full(but=["retry"])
@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if verb.calls])
def test_p1_a_verb_that_is_killed_while_it_sends_loses_nothing_and_doubles_nothing(
    name: str, disk: Path, project: Project, sandbox: Sandbox, account: Account
) -> None:
    words = prepared(name, project, sandbox)
    draw = random.Random(name)
    sandbox.set_options(calls_per_second=0, latency_s=LATENCY_S)
    for _ in range(4):
        sandbox.reset_calls()
        running = project.start(*words)
        wait_for(lambda running=running: writes(sandbox) or running.poll() is not None)
        time.sleep(LATENCY_S * draw.uniform(0, 2))  # before an answer, after it, or between two calls
        if running.poll() is not None:
            running.communicate()
            break
        kill(running)
    sandbox.set_options(calls_per_second=0)
    assert_through(name, words, project, account)
    observe(f"killed-{name}", f"points and beginnings {dict(given(account))}")
