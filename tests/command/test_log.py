"""The log for machines: every line on stderr is one object, with the run it is about, and names nobody."""

import json
import logging
import os
import signal
import sys
import time
from io import StringIO
from typing import Any

import pytest

from connectors.kartra.sandbox import Account, Faults, Sandbox, SandboxOptions
from pipelines.cli.log import start_log
from pipelines.cli.progress import progress_bar
from pipelines.config.file import read_pipeline
from pipelines.verbs.run import run_pipeline
from tests.conftest import LOAD, Project, contact


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def ready(project: Project, sandbox: Sandbox) -> Project:
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(4)])
    return project


def test_a_run_is_told_line_by_line_with_its_number(ready: Project) -> None:
    done = ready.command("run", "p.yaml", "--yes", "--json", "--log-format", "json")
    run_id = done.json["run_id"]
    began, *_, ended = told = lines(done.stderr)
    assert (done.code, began["message"], ended["message"]) == (
        0,
        "newsletter: the run began",
        "newsletter: the run ended: succeeded",
    )
    assert (ended["leads"]["created"], ended["rows"]["read"], ended["level"]) == (4, 4, "info")
    assert {(line["run_id"], line["pipeline"]) for line in told} == {(run_id, "newsletter")}
    assert "example.org" not in done.stderr


def test_with_everything_said_nobody_is_named_and_threads_know_their_run(ready: Project) -> None:
    options = SandboxOptions(faults=Faults(seed=3, cut_after=0.5))
    with Sandbox(Account(tags=["Imported", "VIP", "Blog"], lists=["News"]), options) as flaky:
        ready.aim(flaky)
        ready.pipeline(LOAD.partition("custom_fields")[0] + "consent: {attested: 'sign-up form, 2025'}")
        done = ready.command("run", "p.yaml", "--json", "--log-format", "json", "-vv")
    told = lines(done.stderr)
    of_calls = [line for line in told if line["logger"] == "kartra_sync.client"]
    assert of_calls
    started = next(place for place, line in enumerate(told) if line["message"].endswith("the run began"))
    ended = next(place for place, line in enumerate(told) if "the run ended" in line["message"])
    assert {line.get("run_id") for line in told[started : ended + 1]} == {done.json["run_id"]}
    assert "example.org" not in done.stderr
    assert "First 1" not in done.stderr


def test_errors_and_remarks_are_objects_too(ready: Project) -> None:
    assert ready.command("run", "p.yaml", "--yes").code == 0
    for words in (
        ("plan", "p.yaml"),
        ("show", "p.yaml", "--html", "page.html"),
        ("rejects", "p.yaml", "--csv", "out.csv"),
        ("outcomes", "p.yaml", "--csv", "all.csv"),
        ("schedule", "p.yaml", "--at", "02:00"),
    ):
        done = ready.command(*words, "--log-format", "json")
        assert (done.code, done.stderr and {line["level"] for line in lines(done.stderr)} - {"info"}) in (
            (0, ""),
            (0, {"warning"}),
        )
    for words in (("run", "nonesuch.yaml"), ("run", "p.yaml", "--nonesuch")):
        refused = ready.command(*words, "--log-format=json")
        assert (refused.code, [line["level"] for line in lines(refused.stderr)]) == (2, ["error"])


def test_a_signal_is_told_as_an_object(ready: Project, account: Account) -> None:
    with Sandbox(account, SandboxOptions(latency_s=0.3)) as slow:
        ready.aim(slow)
        ready.contacts([contact(number) for number in range(200)])
        started = ready.start("run", "p.yaml", "--yes", "--log-format", "json")
        while not account.leads:
            assert started.poll() is None
            time.sleep(0.02)
        os.kill(started.pid, signal.SIGTERM)
        _, told = started.communicate(timeout=60)
    assert started.returncode == 143
    assert any("stopping" in line["message"] for line in lines(told))
    assert lines(told)[-1]["status"] == "interrupted"


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_without_a_terminal_a_line_says_how_far_it_is(
    ready: Project, account: Account, monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    heard = StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    for name, value in ready.environ.items():
        monkeypatch.setenv(name, value)
    before = logging.getLogger("kartra_sync").handlers[:]
    start_log(0, log_format)  # type: ignore[arg-type]
    try:
        with progress_bar(every_s=0.02) as progress:
            config = read_pipeline(ready.folder / "p.yaml", os.environ)
            result = run_pipeline(config, approved=True, progress=progress)
            for _ in range(3_000):
                if "4 of 4 settled" in heard.getvalue():
                    break
                time.sleep(0.01)
    finally:
        logging.getLogger("kartra_sync").handlers[:] = before
    told = next(line for line in heard.getvalue().splitlines() if "4 of 4 settled" in line)
    assert f"newsletter, run {result.run_id}: 4 of 4 settled, " in told
    if log_format == "json":
        line = json.loads(told)
        assert (line["run_id"], line["settled"], line["total"]) == (result.run_id, 4, 4)


def test_a_line_end_in_a_message_begins_no_second_object(ready: Project) -> None:
    ready.pipeline(LOAD, kartra='nonesuch: "a\\n{}"\nother: 1')
    done = ready.command("run", "p.yaml", "--log-format", "json")
    assert (done.code, len(lines(done.stderr))) == (2, 1)
