"""P1 whatever the clocks say: what was done is proven by the server's clock, and never done twice by ours."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from tests.attacks.table import observe
from tests.command.several import adds_up
from tests.conftest import LOAD, Project, contact
from tests.promises.scenes import wait_until

ROOT = Path(__file__).parents[2]
POINTS = f"{LOAD}\npoints: 10\n"
LEADS = 6


def run_at(project: Project, offset: str) -> subprocess.CompletedProcess[str]:
    if not (faketime := shutil.which("faketime")):
        pytest.skip("faketime is missing: apt-get install faketime")
    return subprocess.run(
        [faketime, "-f", offset, sys.executable, "-m", "pipelines", "run", "p.yaml", "--json"],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **project.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def points(sandbox: Sandbox) -> list[int]:
    with sandbox.lock:
        return [lead.score for lead in sandbox.account.leads.values()]


@pytest.mark.full(but=["+310s", "-3h"])
@pytest.mark.parametrize("offset", ["+310s", "+600s", "-600s", "+3h", "-3h", "+400d"])
def test_a_lost_answer_under_a_wrong_clock_gives_nothing_twice(
    project: Project, sandbox: Sandbox, offset: str
) -> None:
    project.contacts([contact(number) for number in range(LEADS)])
    project.pipeline(POINTS, kartra="settle_s: 1\ntimeout_s: 2")
    sandbox.set_faults(Faults(cut_after=0.5, commands=frozenset({"create_lead"}), seed=7))
    run = run_at(project, offset)
    assert run.returncode in (0, 3), run.stderr
    sandbox.set_faults(Faults())
    again = project.run()
    assert adds_up(again.json)
    assert points(sandbox) == [10] * LEADS
    observe("clock-wrong", f"points of each {set(points(sandbox))}")


def test_a_server_whose_date_is_right_and_whose_leads_join_in_the_past_gives_nothing_twice(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(number) for number in range(LEADS)])
    project.pipeline(POINTS, kartra="settle_s: 4\ntimeout_s: 2\nworkers: 1")
    sandbox.set_faults(Faults(cut_after=1.0, commands=frozenset({"create_lead"})))
    running = project.start("run", "p.yaml", "--json")
    late = (datetime.now(UTC) - timedelta(hours=5, seconds=600)).strftime("%Y-%m-%d %H:%M:%S")
    wait_until(lambda: bool(points(sandbox)), "a lead")
    while running.poll() is None:
        with sandbox.lock:
            for lead in sandbox.account.leads.values():
                lead.date_joined = late
        if len(points(sandbox)) == LEADS:
            sandbox.set_faults(Faults())
    running.communicate(timeout=60)
    project.run()
    assert points(sandbox) == [10] * LEADS


ONLY_POINTS = """
source: {csv: contacts.csv}
key: email
fields: {email: Email}
points: 10
calendars: [{name: Yoga, class: Morning}]
consent: {attested: "sign-up form"}
"""


@pytest.mark.full(but=["+2d"])
@pytest.mark.parametrize("offset", ["+2d", "-2d", "+50m", "-9h"])
def test_an_intent_before_the_first_answer_bears_no_clock_that_proves_anything(
    project: Project, sandbox: Sandbox, offset: str
) -> None:
    """Nothing is asked for first, so no answer has told Kartra's clock when the first call leaves."""
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(ONLY_POINTS, kartra="settle_s: 1\ntimeout_s: 2\nworkers: 1")
    sandbox.set_faults(Faults(cut_after=0.7, commands=frozenset({"create_lead"}), seed=3))
    run = run_at(project, offset)
    assert run.returncode in (0, 3), run.stderr
    sandbox.set_faults(Faults())
    again = project.run()
    assert adds_up(again.json)
    assert points(sandbox) == [10] * 3


@pytest.mark.full(but=["-2d"])
@pytest.mark.parametrize("offset", ["+2d", "-2d"])
def test_a_run_that_dies_before_its_first_answer_under_a_wrong_clock_gives_nothing_twice(
    project: Project, sandbox: Sandbox, offset: str
) -> None:
    if not (faketime := shutil.which("faketime")):
        pytest.skip("faketime is missing: apt-get install faketime")
    project.contacts([contact(0)])
    project.pipeline(ONLY_POINTS, kartra="settle_s: 1\ntimeout_s: 30")
    sandbox.set_faults(Faults(silence=1.0, commands=frozenset({"create_lead"})))
    dying = subprocess.Popen(
        [faketime, "-f", offset, sys.executable, "-m", "pipelines", "run", "p.yaml", "--json"],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **project.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: bool(points(sandbox)), "a lead")
    finally:
        os.killpg(dying.pid, signal.SIGKILL)
        dying.communicate()
    sandbox.set_faults(Faults())
    for _ in range(2):
        assert adds_up(project.run().json)
    assert points(sandbox) == [10]
