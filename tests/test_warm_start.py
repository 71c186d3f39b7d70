"""A warm process is what a full start of the command gives, but for its imports."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests import warm_start
from tests.command.several import wait_for
from tests.conftest import Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has warm processes")

LOAD = """
source: {csv: contacts.csv}
transform: probe:looked
key: email
fields: {email: Email}
consent: {attested: form}
"""

PROBE = """
import json, locale, os, resource, signal, sys, tempfile, threading, time
from pathlib import Path

def looked(records):
    seen = {
        "argv": sys.argv,
        "path": sys.path,
        "folder": os.getcwd(),
        "environ": dict(os.environ),
        "parent": os.getppid(),
        "leads its session": os.getsid(0) == os.getpid(),
        "leads its group": os.getpgid(0) == os.getpid(),
        "streams": [(stream.encoding, stream.errors, stream.line_buffering, os.fstat(number).st_mode)
                    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr))],
        "typed": sys.stdin.read(),
        "signals": {number.name: str(signal.getsignal(number)) for number in signal.Signals
                    if number not in (signal.SIGINT, signal.SIGTERM)},  # the handlers of the run
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "ignored": [line for line in Path("/proc/self/status").read_text().splitlines() if "SigIgn" in line],
        "limits": [resource.getrlimit(limit) for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)],
        "descriptors": sorted(os.readlink(entry).split(":")[0] for entry in Path("/proc/self/fd").iterdir()
                              if entry.is_symlink() and "/fd" not in os.readlink(entry)),
        "options": (str(sys.flags), sys.warnoptions, sys._xoptions),
        "locale": locale.setlocale(locale.LC_ALL),
        "zone": (time.tzname, time.localtime(0).tm_hour),
        "temporary": tempfile.gettempdir(),
        "threads": threading.active_count(),
    }
    if not Path("seen.json").exists():  # a check asks more than once
        Path("seen.json").write_text(json.dumps(seen))
    return records
"""


@pytest.fixture
def probe(project: Project) -> Project:
    """A project whose `check` notes in seen.json what its process is."""
    (project.folder / "probe.py").write_text(PROBE, encoding="utf-8")
    project.contacts([{"Email": "ann@example.org"}])
    project.pipeline(LOAD)
    project.environ |= {"KARTRA_URL": "http://127.0.0.1:9/api"}
    project.environ |= dict.fromkeys(("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD"), "x")
    return project


PIPES: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
STARTS: list[Callable[..., "subprocess.Popen[str]"]] = [warm_start.start, warm_start.start_in_full]


def environ_of(project: Project, **more: str) -> dict[str, str]:
    return {**warm_start.base_environ(), **project.environ, **more}


def show_hook(project: Project) -> None:
    """A check runs no hook that it has not shown before."""
    assert "never ran here" in project.command("check", "p.yaml").stdout
    assert not (project.folder / "seen.json").exists()


def imports_of(project: Project, **environ: str) -> str:
    """What Python says of the imports of a command."""
    process = warm_start.start(
        ["--version"], environ=environ_of(project, **environ), cwd=project.folder, **PIPES
    )
    return process.communicate(timeout=60)[1]


@pytest.mark.parametrize("new_session", [False, True])
def test_a_command_cannot_tell_that_its_process_was_warm(probe: Project, new_session: bool) -> None:
    show_hook(probe)
    found = []
    for start in STARTS:
        process = start(
            ["check", "p.yaml"],
            environ=environ_of(probe, TZ="Asia/Kolkata", COLUMNS="71"),
            cwd=probe.folder,
            start_new_session=new_session,
            **PIPES,
        )
        stdout, stderr = process.communicate("typed", timeout=60)
        noted = probe.folder / "seen.json"
        seen = json.loads(noted.read_text())
        noted.unlink()
        found.append((process.args, process.returncode, stdout, stderr, seen))
    warm, full = found
    assert (full[4]["typed"], full[4]["parent"], full[4]["leads its session"]) == (
        "typed",
        os.getpid(),
        new_session,
    )
    assert {name: seen for name, seen in warm[4].items() if seen != full[4][name]} == {}
    assert warm[:4] == full[:4]


@pytest.mark.parametrize(
    "end",
    [
        "raise SystemExit(7)",
        "raise SystemExit('a text')",
        "raise GeneratorExit",
        "raise KeyboardInterrupt",
        "raise MemoryError",
        "print('said', flush=True), os._exit(3)",
        "os.abort()",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "sys.stdout.close()",
    ],
)
def test_however_it_ends_its_parent_hears_the_same(probe: Project, end: str) -> None:
    (probe.folder / "probe.py").write_text(
        f"import os, signal, sys\ndef looked(records):\n    {end}\n", "utf-8"
    )
    show_hook(probe)
    found = []
    for start in STARTS:
        process = start(["check", "p.yaml"], environ=environ_of(probe), cwd=probe.folder, **PIPES)
        stdout, stderr = process.communicate(timeout=60)
        found.append((process.returncode, stdout, stderr.splitlines()[-1:]))  # a traceback tells the file
    assert found[0] == found[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_as_it_ends_any_command(project: Project, number: signal.Signals) -> None:
    found = []
    for start in STARTS:
        process = start(
            ["sandbox", "--port", "0"],
            environ=environ_of(project),
            cwd=project.folder,
            start_new_session=True,
            **PIPES,
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith("A sandbox account at")
        assert process.poll() is None
        os.killpg(process.pid, number)
        found.append((process.wait(timeout=30), process.communicate()[1]))
    assert found[0] == found[1]


def test_a_killed_one_waits_for_its_parent_as_a_zombie(project: Project) -> None:
    process = project.start("sandbox", "--port", "0")
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert process.wait(timeout=30) == -signal.SIGKILL
    assert not psutil.pid_exists(process.pid)
    process.communicate()


def test_its_output_ends_where_nobody_listens(project: Project) -> None:
    found = []
    for start in STARTS:
        reading, writing = os.pipe()
        os.close(reading)
        process = start(
            ["schema"],
            environ=environ_of(project),
            cwd=project.folder,
            stdout=writing,
            stderr=subprocess.PIPE,
        )
        os.close(writing)
        _, stderr = process.communicate(timeout=60)
        found.append((process.returncode, stderr))
    assert found[0] == found[1]


def test_what_python_reads_as_it_starts_has_it_started_in_full(project: Project) -> None:
    assert imports_of(project) == ""
    assert "pipelines.cli.main" in imports_of(project, PYTHONPROFILEIMPORTTIME="1")


def test_many_start_at_once(project: Project) -> None:
    started = [project.start("--version") for _ in range(12)]
    ended = {(process.communicate(timeout=60), process.returncode) for process in started}
    assert len({process.pid for process in started}) == 12
    ((texts, code),) = ended
    assert (texts[0].startswith("kartra-sync, version"), texts[1], code) == (True, "", 0)
