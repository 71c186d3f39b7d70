"""P1 for a run that has to end early: somebody asks it to, or Kartra gives no usable answer any more."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from tests.conftest import LOAD, Project, Result, contact
from tests.promises.scenes import Scene, Scenes, Seen, adds_up, all_wished, run_seen, wait_until

SCENES = Scenes()
ROWS = [contact(number) for number in range(24)]
PATIENT = "timeout_s: 300\nsettle_s: 2"
"""Nobody who waits for an answer here would end by himself before a test gives up."""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


@dataclass(frozen=True)
class Stopped:
    first: Result
    after: Seen
    again: Seen


def stopped(when: Callable[[Sandbox, int], bool], silent: str, *numbers: signal.Signals) -> Scene:
    """The run gets these signals once `when` is true; calls with the command `silent` get no answer."""

    def scene(project: Project, sandbox: Sandbox) -> Stopped:
        project.pipeline(LOAD, kartra=PATIENT)
        project.contacts(ROWS)
        sandbox.set_faults(Faults(silence=1.0, commands=frozenset({silent})))
        process = project.start("run", "p.yaml", "--json")
        wait_until(lambda: when(sandbox, process.pid), "the moment to stop")
        for number in numbers:
            os.kill(process.pid, number)
            wait_until(partial(has_arrived, process, number), "the signal")
        first = ended(process, within_s=30)
        sandbox.set_faults(Faults())
        return Stopped(first, run_seen(project, sandbox), run_seen(project, sandbox))

    return scene


def ended(process: subprocess.Popen[str], within_s: float) -> Result:
    stdout, stderr = process.communicate(timeout=within_s)
    return Result(process.returncode, stdout, stderr)


def calls_made(count: int) -> Callable[[Sandbox, int], bool]:
    return lambda sandbox, _: sum(call.executed for call in sandbox.calls) >= count


def signals_of(pid: int, kind: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.findall(rf"^{kind}:\s+([0-9a-f]+)$", status, re.MULTILINE)
    return int("".join(found), 16)


def has_arrived(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    return process.poll() is not None or not signals_of(process.pid, "ShdPnd") >> (number - 1) & 1


def catches(_: Sandbox, pid: int) -> bool:
    """Whether the command listens to SIGTERM already; Python itself does not."""
    return bool(signals_of(pid, "SigCgt") >> (signal.SIGTERM - 1) & 1)


SCENES.add(stopped(calls_made(10), "create_lead", signal.SIGTERM), "in the calls")
SCENES.add(stopped(calls_made(10), "create_lead", signal.SIGINT, signal.SIGINT), "twice")
SCENES.add(stopped(calls_made(1), "retrieve_account_lists", signal.SIGINT), "among the first questions")
SCENES.add(stopped(catches, "get_lead", signal.SIGTERM), "at the start")

NAMES = {"in the calls": 143, "twice": 130, "among the first questions": 130, "at the start": 143}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks into /proc")
@pytest.mark.parametrize("name", NAMES)
def test_p1_a_stopped_run_ends_soon_and_the_next_one_finishes_its_work(scenes: Scenes, name: str) -> None:
    seen: Stopped = scenes[name]
    assert seen.first.code == NAMES[name]
    assert seen.after.held == all_wished(ROWS)
    assert seen.after.result.code == 0
    assert (seen.again.calls, seen.again.leads) == ([], {"unchanged": len(ROWS)})


@pytest.mark.parametrize("name", ["in the calls", "among the first questions"])
def test_p1_a_stopped_run_says_what_it_left(scenes: Scenes, name: str) -> None:
    seen: Stopped = scenes[name]
    assert seen.first.json["status"] == "interrupted"
    assert adds_up(seen.first)
    assert seen.first.json["leads"]["deferred"] == len(ROWS)
    assert "stopping" in seen.first.stderr


def test_p1_a_second_signal_stops_at_once(scenes: Scenes) -> None:
    seen: Stopped = scenes["twice"]
    assert seen.first.stdout == ""


# --- Kartra has gone


@SCENES.add
def outage(project: Project, sandbox: Sandbox) -> Stopped:
    """Some calls land, then every answer is a 502."""
    project.pipeline(LOAD, kartra="settle_s: 2\nworkers: 5")
    project.contacts([contact(number) for number in range(60)])
    sandbox.set_faults(Faults(bad_gateway_before=1.0, from_call=15))
    process = project.start("run", "p.yaml", "--json")
    first = ended(process, within_s=110)
    sandbox.set_faults(Faults())
    return Stopped(first, run_seen(project, sandbox), run_seen(project, sandbox))


def test_p1_a_run_without_any_usable_answer_ends_by_itself_and_the_next_one_goes_on(scenes: Scenes) -> None:
    seen: Stopped = scenes["outage"]
    assert (seen.first.code, seen.first.json["status"]) == (1, "failed")
    assert "no usable answer to 25 calls in a row" in seen.first.json["message"]
    assert "; the last time: HTTP 502 Bad Gateway" in seen.first.json["message"]
    assert adds_up(seen.first)
    assert seen.first.json["calls"]["sent"] < 60
    assert seen.after.held == all_wished([contact(number) for number in range(60)])
    assert (seen.again.calls, seen.again.leads) == ([], {"unchanged": 60})
