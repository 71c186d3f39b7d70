"""`schedule`: what it prints runs under cron and systemd, in their poor environment, from odd folders."""

import os
import pty
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Sandbox
from tests import warm_start
from tests.conftest import Project, contact

LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email}
consent: {attested: "sign-up form, 2025"}
"""
AT_NIGHT = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "ann"}
SECRET = "not-for-a-crontab-0815"


@pytest.fixture
def odd(tmp_path: Path, sandbox: Sandbox) -> Project:
    """A project in a folder with a name of all that shells, cron and systemd take for their own."""
    project = Project(tmp_path / '50% o\'clock "$HOME" #1; é')
    project.folder.mkdir()
    project.aim(sandbox)
    project.pipeline(LOAD)
    project.contacts([contact(0)])
    return project


def keep_secrets(project: Project) -> None:
    """As the notes of the verb ask for: in a .env that only its owner reads."""
    dotenv = project.folder / ".env"
    dotenv.write_text("".join(f"{name}='{value}'\n" for name, value in project.environ.items()))
    dotenv.chmod(0o600)
    project.environ.clear()


def stand_in(project: Project, name: str, script: str) -> Path:
    """A program of the system, which this machine may not have; its calls are noted beside it."""
    folder = project.folder.parent / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o755)
    project.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
    project.environ["XDG_CONFIG_HOME"] = str(project.folder.parent / "config")
    return folder


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


CRONTAB = """
kept="$(dirname "$0")/kept"
if [ "$1" = -l ]; then cat "$kept" 2>/dev/null || { echo "no crontab for ann" >&2; exit 1; }
elif [ "$1" = - ]; then cat > "$kept"; else exit 2; fi
"""
SYSTEMCTL = 'echo "$*" >> "$(dirname "$0")/asked"\n'


def test_the_line_of_cron_runs_the_pipeline_from_an_odd_folder(odd: Project, sandbox: Sandbox) -> None:
    keep_secrets(odd)
    printed = odd.command("schedule", "p.yaml", "--at", "02:05")
    assert printed.code == 0
    mark, line = printed.stdout.splitlines()
    assert mark == f"# kartra-sync schedule of {odd.folder / 'p.yaml'}"
    assert line.startswith("5 2 * * * ")
    command = line.removeprefix("5 2 * * * ")
    # Of cron: a bare % ends the command, one with a backslash is a % without it.
    assert "%" not in command.replace("\\%", "")
    pacing = {
        name: value for name, value in warm_start.base_environ().items() if name.startswith(("KARTRA", "XDG"))
    }
    at_night = AT_NIGHT | pacing | {"HOME": str(odd.folder.parent)}
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("\\%", "%")], env=at_night, cwd="/", capture_output=True, text=True
    )
    log = (odd.folder / "p.log").read_text()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), log
    assert "1 created" in log
    assert len(sandbox.account.leads) == 1


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze of systemd")
def test_systemd_reads_the_units_and_knows_the_time(project: Project) -> None:
    project.folder = project.folder / "50% of $it"
    project.folder.mkdir()
    project.pipeline(LOAD)
    project.environ["KARTRA_URL"] = "https://app.kartra.com/api"
    printed = project.command(
        "schedule", "p.yaml", "--at", "14:30", "--as", "systemd", "--zone", "Europe/Vienna", "--json"
    )
    texts = printed.json["texts"]
    assert (list(texts), printed.json["clock"]) == (
        ["kartra-sync-newsletter.service", "kartra-sync-newsletter.timer"],
        "Europe/Vienna",
    )
    units = project.folder.parent / "units"
    units.mkdir()
    for name, text in texts.items():
        (units / name).write_text(text)
    read = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, units.iterdir())],
        capture_output=True,
        text=True,
    )
    assert (read.returncode, read.stderr) == (0, "")
    timer = texts["kartra-sync-newsletter.timer"]
    assert "\nPersistent=true\n" in timer
    calendar = timer.partition("OnCalendar=")[2].partition("\n")[0]
    shown = subprocess.run(
        ["systemd-analyze", "calendar", calendar], capture_output=True, text=True, check=True
    )
    assert "Normalized form: *-*-* 14:30:00 Europe/Vienna" in shown.stdout
    service = texts["kartra-sync-newsletter.service"]
    start = service.partition("ExecStart=")[2].partition("\n")[0]
    words = shlex.split(start.replace("%%", "%").replace("$$", "$"))
    assert words[1:] == ["run", str(project.folder / "p.yaml")]
    assert f"\nWorkingDirectory={str(project.folder).replace('%', '%%')}\n" in service


@pytest.mark.parametrize("kind", ["cron", "systemd"])
def test_no_secret_is_written_down_and_what_is_missing_at_night_is_said(project: Project, kind: str) -> None:
    project.pipeline(LOAD)
    project.environ |= {
        "KARTRA_URL": "https://app.kartra.com/api",
        "KARTRA_APP_ID": SECRET,
        "KARTRA_API_KEY": SECRET,
        "KARTRA_API_PASSWORD": SECRET,
    }
    words = ("schedule", "p.yaml", "--at", "02:00", "--as", kind)
    printed = project.command(*words)
    assert printed.code == 0
    assert SECRET not in printed.stdout + printed.stderr
    assert "it would not run yet: " in printed.stderr
    assert "KARTRA_URL" in printed.stderr
    stand_in(project, "crontab", CRONTAB)
    folder = stand_in(project, "systemctl", SYSTEMCTL)
    refused = project.command(*words, "--install", "--yes")
    assert (refused.code, "nothing was installed" in refused.stderr) == (2, True)
    assert not {"kept", "asked"} & names_in(folder)


def test_a_crontab_keeps_what_is_in_it_and_one_line_for_each_file(odd: Project) -> None:
    keep_secrets(odd)
    folder = stand_in(odd, "crontab", CRONTAB)
    theirs = "# mine\n*/5 * * * * /usr/bin/true\n"
    (folder / "kept").write_text(theirs)
    install = ("schedule", "p.yaml", "--install", "--yes", "--at")
    assert odd.command(*install, "02:00").code == 0
    assert odd.command(*install, "02:00").code == 0
    once = (folder / "kept").read_text()
    assert once.startswith(theirs)
    assert once.count("\n") == 4
    other = odd.command(*install, "03:15")
    assert (other.code, "--replace" in other.stderr, (folder / "kept").read_text()) == (2, True, once)
    assert odd.command(*install, "03:15", "--replace").code == 0
    assert (folder / "kept").read_text() == once.replace("\n0 2 * * * cd", "\n15 3 * * * cd")


def test_the_first_crontab_of_a_user_is_written_and_a_refusal_of_cron_is_said(odd: Project) -> None:
    keep_secrets(odd)
    folder = stand_in(odd, "crontab", CRONTAB)
    assert odd.command("schedule", "p.yaml", "--at", "02:00", "--install", "--yes", "--json").json[
        "installed"
    ]
    assert (folder / "kept").read_text().count("\n") == 2
    stand_in(odd, "crontab", 'echo "ann may not use cron" >&2; exit 3')
    refused = odd.command("schedule", "p.yaml", "--at", "02:00", "--install", "--yes")
    assert (refused.code, "ann may not use cron" in refused.stderr) == (1, True)


def test_a_unit_of_another_pipeline_of_the_same_name_is_not_written_over(odd: Project) -> None:
    keep_secrets(odd)
    folder = stand_in(odd, "systemctl", SYSTEMCTL)
    install = ("schedule", "--at", "02:00", "--as", "systemd", "--install", "--yes")
    assert odd.command(*install, "p.yaml").code == 0
    units = folder.parent / "config" / "systemd" / "user"
    assert names_in(units) == {"kartra-sync-newsletter.service", "kartra-sync-newsletter.timer"}
    assert (folder / "asked").read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable --now kartra-sync-newsletter.timer",
    ]
    before = {path.name: path.read_text() for path in units.iterdir()}
    shutil.copy(odd.folder / "p.yaml", odd.folder / "other.yaml")
    other = odd.command(*install, "other.yaml")
    assert (other.code, "the same name" in other.stderr) == (2, True)
    assert {path.name: path.read_text() for path in units.iterdir()} == before
    assert odd.command(*install, "other.yaml", "--replace").code == 0


def test_nothing_is_installed_unasked(odd: Project) -> None:
    keep_secrets(odd)
    folder = stand_in(odd, "crontab", CRONTAB)
    words = ("schedule", "p.yaml", "--at", "02:00", "--install")
    unasked = subprocess.run(
        [warm_start.COMMAND, *words],
        cwd=odd.folder,
        env=odd.command_environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    with warm_start.start_in_full(
        words, cwd=odd.folder, environ=odd.command_environ(), stdin=theirs, stderr=subprocess.PIPE
    ) as asked:
        _, said = asked.communicate(timeout=60)
    for end in (ours, theirs):
        os.close(end)
    assert "Install this?" in said
    assert asked.returncode != 0
    assert "kept" not in names_in(folder)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--at", "25:00"), "write hours and minutes"),
        (("--at", "02:00", "--zone", "Mars/Base"), "no such time zone"),
        (("--at", "02:00", "--zone", "Pacific/Chatham"), "cron goes by the clock of the machine"),
        ((), "--at"),
    ],
)
def test_what_cannot_be_scheduled_is_said(project: Project, words: tuple[str, ...], told: str) -> None:
    project.pipeline(LOAD)
    project.environ["KARTRA_URL"] = "https://app.kartra.com/api"
    done = project.command("schedule", "p.yaml", *words)
    assert (done.code, told in done.stderr) == (2, True)


def test_a_path_that_would_begin_a_second_line_is_refused(project: Project) -> None:
    evil = Project(project.folder / "x\n0 0 * * * true")
    evil.folder.mkdir()
    evil.pipeline(LOAD)
    evil.environ["KARTRA_URL"] = "https://app.kartra.com/api"
    for kind in ("cron", "systemd"):
        done = evil.command("schedule", "p.yaml", "--at", "02:00", "--as", kind)
        assert (done.code, done.stdout, "rename the folder" in done.stderr) == (2, "", True)
