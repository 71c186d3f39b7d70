"""What the machine refuses is no bug of ours, and work that is done keeps its exit code."""

import os
import signal
import subprocess

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.attacks.table import observe
from tests.command.several import ended, wait_for, writes
from tests.conftest import LOAD, Project, Result, contact
from tests.warm_start import COMMAND, base_environ


def in_a_shell(project: Project, line: str) -> Result:
    """`kartra-sync`, started by a shell that redirects its streams."""
    done = subprocess.run(
        ["/bin/bash", "-c", line.replace("kartra-sync", COMMAND)],
        cwd=project.folder,
        env={**base_environ(), **project.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.full(but=["-2>&-", "--json->&-", "->/dev/full", "--json-<&- >&- 2>&-"])
@pytest.mark.parametrize("streams", ["2>&-", ">&-", "<&- >&- 2>&-", ">/dev/full", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize("words", ["", "--json"])
def test_a_run_ends_as_it_ended_whatever_becomes_of_its_words(
    words: str, streams: str, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(1), contact(2)])
    project.pipeline(LOAD)
    done = in_a_shell(project, f"kartra-sync run p.yaml {words} {streams}")
    lost = "kartra-sync: the output could not be written: No space left on device\n"
    assert (done.code, done.stderr) == (0, lost if streams == ">/dev/full" else "")
    project.contacts([contact(1), contact(2), contact(3, Email="nobody")])
    assert in_a_shell(project, f"kartra-sync run p.yaml {words} {streams}").code == 3
    assert len(sandbox.account.leads) == 2
    assert project.command("state", "verify", "p.yaml").code == 0


def test_the_next_file_is_run_where_the_words_about_the_first_get_lost(
    project: Project, sandbox: Sandbox
) -> None:
    load = LOAD.replace("contacts.csv", "{}.csv")
    for number, name in enumerate(("a", "b")):
        project.contacts([contact(number)], name=f"{name}.csv")
        path = project.pipeline(load.replace("{}", name), name=f"{name}.yaml")
        path.write_text(path.read_text("utf-8").replace("newsletter", name), encoding="utf-8")
    for streams in (">/dev/full", "| true; exit ${PIPESTATUS[0]}"):
        done = in_a_shell(project, f"kartra-sync run a.yaml b.yaml {streams}")
        assert done.code == 0
    assert len(sandbox.account.leads) == 2


def test_a_stop_is_not_written_into_the_state_where_nobody_listens(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(number) for number in range(24)])
    project.pipeline(LOAD, kartra="workers: 2")
    sandbox.set_options(latency_s=0.3)
    with subprocess.Popen(
        ["/bin/bash", "-c", f"exec {COMMAND} run p.yaml --json 2>&-"],
        cwd=project.folder,
        env={**base_environ(), **project.environ},
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        wait_for(lambda: len(writes(sandbox)) >= 4)
        running.send_signal(signal.SIGTERM)
        assert ended(running).code == 143
    assert project.command("state", "verify", "p.yaml").code == 0


def test_what_only_shows_has_failed_where_it_cannot_be_shown(project: Project) -> None:
    full = in_a_shell(project, "kartra-sync errors 212 >/dev/full")
    lost = "the output could not be written: No space left on device"
    assert (full.code, full.stderr) == (1, f"kartra-sync: {lost}\n")
    assert in_a_shell(project, "kartra-sync errors 212 >&-").code == 0


@pytest.mark.parametrize("words", ["errors", "errors --json", "schema", "--help"])
def test_whoever_reads_no_further_has_what_they_want(words: str, project: Project) -> None:
    done = in_a_shell(project, f"kartra-sync {words} | head -1; exit ${{PIPESTATUS[0]}}")
    assert (done.code, "Traceback" in done.stderr, done.stdout.count("\n")) == (0, False, 1)


@pytest.mark.parametrize(("encoding", "said"), [("ascii", "0 done · 1"), ("iso8859-5", "0 done \\xb7 1")])
def test_what_an_encoding_lacks_stops_nothing(encoding: str, said: str, project: Project) -> None:
    project.environ["PYTHONIOENCODING"] = encoding
    done = in_a_shell(project, "kartra-sync --help")
    assert (done.code, done.stderr) == (0, "")
    assert said in done.stdout


def test_a_folder_that_is_gone_is_one_line(project: Project) -> None:
    for words in ("status", "init contacts.csv", "errors 212 --json"):
        done = in_a_shell(project, f"mkdir gone && cd gone && rmdir ../gone && kartra-sync {words}")
        assert done.code == (0 if "errors" in words else done.code)
        assert done.code in (0, 1, 2)
        assert "Traceback" not in done.stderr
        if words == "status":
            observe("no-folder", f"exit {done.code}: {done.stderr}", FOLDER=project.folder)


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/dev/full"), reason="needs a full disk")  # noqa: PTH110
def test_a_disk_that_is_full_is_one_line_and_no_bug_of_ours(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1)])
    project.pipeline(LOAD)
    done = in_a_shell(project, "ulimit -f 0; kartra-sync run p.yaml --json 2>&1")
    assert "Traceback" not in done.stdout
    assert done.code == 1
