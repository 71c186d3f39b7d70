"""P1 on a bad day: verbs that are killed, machines that lack something, runs that sleep."""

import json
import os
import random
import resource
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.attacks.table import observe
from tests.command.several import ended, wait_for, writes
from tests.conftest import LOAD, Project, contact, kill
from tests.full import IS_FULL
from tests.warm_start import COMMAND, base_environ

POINTS = LOAD + "points: 10\n"
PULL = "pull: {into: tables.db, leads: {state: true}}\n"
EXPORT = "Transaction ID,Date,Email,Amount,Type\n1,2026-01-02 10:00:00,lead0@example.org,10.00,sale\n"


def given(account: Account) -> Counter[tuple[int, int]]:
    """Points and beginnings of a sequence, over all leads."""
    return Counter((lead.score, len(lead.sequence_starts)) for lead in account.leads.values())


KILLED = {
    ("state", "forget", "p.yaml", "lead1@example.org", "--yes"): "kill-forget",
    ("adopt", "p.yaml"): "kill-adopt",
    ("export", "p.yaml", "--to", "out"): "kill-export",
    ("state", "backup", "p.yaml"): "kill-backup",
    ("export-import", "p.yaml", "--to", "import"): "kill-import",
    ("reconcile", "p.yaml", "sales.csv"): "kill-reconcile",
    ("drift", "p.yaml"): "kill-drift",
    ("rejects", "p.yaml", "--csv", "rejects.csv"): "kill-rejects",
    ("plan", "p.yaml", "--save"): "kill-plan-save",
    ("retry", "p.yaml", "again.csv"): "kill-retry",
    ("show", "p.yaml", "--html", "run.html"): "kill-show",
    ("outcomes", "p.yaml", "--csv", "outcomes.csv"): "kill-outcomes",
    ("state", "copy", "p.yaml", "--to", "copied.db"): "kill-copy",
    ("report", "p.yaml", "--html", "report.html"): "kill-report",
    ("support", "p.yaml"): "kill-support",
}
"""Each with its probe."""


@pytest.mark.full(but=["state-forget", "export-p.yaml"])
@pytest.mark.parametrize("verb", list(KILLED), ids=lambda words: "-".join(words[:2]))
def test_p1_a_verb_that_is_killed_leaves_a_whole_state_and_nothing_is_given_twice(
    verb: tuple[str, ...], project: Project, sandbox: Sandbox, account: Account
) -> None:
    sandbox.set_options(calls_per_second=0)
    path = project.pipeline(POINTS, kartra="settle_s: 1")
    path.write_text(path.read_text(encoding="utf-8") + PULL, encoding="utf-8")
    (project.folder / "sales.csv").write_text(EXPORT, encoding="utf-8")
    project.contacts([contact(number) for number in range(6)])
    assert project.run().code == 0
    project.contacts([contact(number) for number in (6, 7)], name="again.csv")
    draw = random.Random("".join(verb))
    began = time.monotonic()
    project.command(*verb)
    took = time.monotonic() - began
    for _ in range(5 if IS_FULL else 1):
        process = project.start(*verb)
        time.sleep(took * draw.uniform(0.2, 0.9))  # wherever it is by then
        kill(process)
    verified = project.command("state", "verify", "p.yaml", "--json")
    assert (verified.code, verified.json["problems"]) == (0, [])
    project.contacts([contact(number, City="Oslo") for number in range(8)])
    done = project.run()
    assert done.code == 0
    assert given(account) == {(10, 1): 8}
    parts = [
        one for one in project.folder.rglob("*") if ".part" in one.name or one.name.startswith(".export-")
    ]
    assert [one for one in parts if one.stat().st_mode & 0o077] == []
    found = (
        f"{len(verified.json['problems'])} faults of the state; points and beginnings {dict(given(account))}"
    )
    observe(KILLED[verb], f"{found}; parts that others may read: 0")


def limits(**given_limits: int) -> Callable[[], None]:
    def set_limits() -> None:
        for name, value in given_limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))

    return set_limits


SURROUNDINGS: dict[str, tuple[dict[str, str], Callable[[], None] | None, int]] = {
    "small files only": ({}, limits(RLIMIT_FSIZE=60_000), 1),
    "few files": ({}, limits(RLIMIT_NOFILE=64), 0),
    "no home": ({"HOME": ""}, None, 0),
    "home of nobody": ({"HOME": "/nonexistent"}, None, 0),
    "a locale of ASCII": ({"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, None, 0),
    "a locale that is not there": ({"LC_ALL": "xx_YY.UTF-9"}, None, 0),
    "Turkish": ({"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"}, None, 0),
    "no folder of temporary files": ({"TMPDIR": "/nonexistent"}, None, 0),
}


def test_p1_where_memory_runs_out_anywhere_the_next_run_is_right(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    """Libraries in C++ end the process then, or never go on, each in a way of its own: like a kill."""
    project.contacts([contact(number) for number in range(8)])
    project.pipeline(POINTS, kartra="settle_s: 1")
    for mib in (150, 350, 450, 550, 650) if IS_FULL else (550,):
        running = subprocess.Popen(
            [COMMAND, "run", "p.yaml"],
            cwd=project.folder,
            env={**base_environ(), **project.environ},
            preexec_fn=limits(RLIMIT_AS=mib << 20),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
    assert project.run().code == 0
    assert given(account) == {(10, 1): 8}
    observe("memory-runs-out", f"the next run ends with 0; points and beginnings {dict(given(account))}")


def _played(folder: Path, sandbox: Sandbox, name: str) -> tuple[int, str]:
    project = Project(folder / name, on_a_file=name == "small files only")
    project.folder.mkdir()
    project.aim(sandbox)
    project.contacts(
        [contact(number, Email=f"{name.replace(' ', '-')}-{number}@example.org") for number in range(3)]
    )
    project.pipeline(POINTS)
    environ, set_limits, _ = SURROUNDINGS[name]
    done = subprocess.run(
        [COMMAND, "run", "p.yaml"],
        cwd=project.folder,
        env={**base_environ(), **project.environ, **environ},
        preexec_fn=set_limits,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stderr


def test_p1_whatever_a_machine_lacks_a_run_is_right_or_one_line(tmp_path: Path, account: Account) -> None:
    played = list(SURROUNDINGS)[:: 1 if IS_FULL else 2]
    with Sandbox(account, calls_per_second=0) as sandbox, ThreadPoolExecutor(2) as pool:
        ended_so = dict(
            zip(
                played,
                pool.map(lambda name: _played(tmp_path, sandbox, name), played),
                strict=True,
            )
        )
    assert {name: code for name, (code, _) in ended_so.items()} == {
        name: SURROUNDINGS[name][2] for name in played
    }, ended_so
    assert [name for name, (_, said) in ended_so.items() if "Traceback" in said] == []
    assert set(given(account)) <= {(10, 1)}
    for probe, name in {
        "few-files": "few files",
        "small-files": "small files only",
        "no-home": "no home",
        "locales": "a locale of ASCII",
        "no-tmp": "no folder of temporary files",
    }.items():
        if name in ended_so:
            observe(probe, f"exit {ended_so[name][0]}, {len(ended_so[name][1].splitlines())} lines on stderr")


def test_p1_a_run_that_sleeps_keeps_its_lease_and_goes_on(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    project.contacts([contact(number) for number in range(20)])
    project.pipeline(POINTS, kartra="workers: 2")
    sandbox.set_options(latency_s=0.2)
    running = project.start("run", "p.yaml", "--json")
    wait_for(lambda: len(writes(sandbox)) >= 2)
    os.killpg(running.pid, signal.SIGSTOP)
    refused = project.run()
    looked = project.command("status", "p.yaml")
    os.killpg(running.pid, signal.SIGCONT)
    assert (refused.code, looked.code) == (5, 0)
    assert ended(running).code == 0
    assert given(account) == {(10, 1): 20}
    observe("asleep", f"the second ends with {refused.code}, the first with 0; {dict(given(account))}")


def test_p1_different_verbs_on_one_state_at_once_all_end(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    project.contacts([contact(number) for number in range(12)])
    path = project.pipeline(POINTS)
    path.write_text(path.read_text(encoding="utf-8") + PULL, encoding="utf-8")
    sandbox.set_options(latency_s=0.2)
    running = project.start("run", "p.yaml", "--json")
    wait_for(lambda: len(writes(sandbox)) >= 2)
    verbs = [
        *(("state", "backup", "p.yaml", "--json"), ("state", "verify", "p.yaml", "--json")),
        *(("status", "p.yaml", "--json"), ("plan", "p.yaml", "--json"), ("rejects", "p.yaml", "--json")),
        *(
            ("state", "forget", "p.yaml", "nobody@example.org", "--yes", "--json"),
            ("adopt", "p.yaml", "--json"),
        ),
    ]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda words: project.command(*words), verbs))
    assert ended(running).code == 0
    assert {result.code for result in done} <= {0, 5}
    assert [result.code for result in done[:3]] == [0, 0, 0]
    assert all(json.loads(result.stdout) for result in done)
    assert given(account) == {(10, 1): 12}
    assert project.command("state", "verify", "p.yaml").code == 0
    observe(
        "verbs-at-once", f"{len(done)} verbs end with 0 or 5; points and beginnings {dict(given(account))}"
    )


@pytest.mark.of_a_file
def test_p1_a_state_that_is_only_out_of_reach_is_not_called_damaged(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(POINTS)
    assert project.run().code == 0
    limited = subprocess.run(
        [COMMAND, "state", "verify", "p.yaml"],
        cwd=project.folder,
        env={**base_environ(), **project.environ},
        preexec_fn=limits(RLIMIT_FSIZE=1),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = limited.stdout + limited.stderr
    assert (limited.returncode, "damaged" in said, "Put a backup" in said) == (1, False, False), said
    observe("verify-full", f"exit {limited.returncode}: {said}", FOLDER=project.folder)
    assert project.command("state", "verify", "p.yaml").code == 0
