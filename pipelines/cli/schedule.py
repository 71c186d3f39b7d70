"""The verb `schedule`: runs a pipeline every night, by cron or systemd."""

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from connectors.errors import ConfigError
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, REPLACE, common
from pipelines.cli.output import print_json, print_lines, tell
from pipelines.config.file import read_pipeline, require_credentials
from pipelines.verbs.schedule import Job, cron_lines, systemd_units
from pipelines.verbs.schedule_install import install_cron, install_systemd, unit_folder

KEPT = ("HOME", "LOGNAME", "USER", "PATH", "SHELL")
"""The variables that cron and systemd hand on; their PATH is a short one."""


class _TimeOfDay(click.ParamType[time]):
    """HH:MM, by 24 hours."""

    name = "HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> time:
        if isinstance(value, time):
            return value
        try:
            return datetime.strptime(value, "%H:%M").time()  # noqa: DTZ007 - of every day, in a zone told beside
        except ValueError:
            self.fail(f"{value}: write hours and minutes, as 02:00 or 14:30", param, ctx)


@click.command(epilog="Example:  kartra-sync schedule newsletter.yaml --at 02:00 --as systemd")
@click.argument("file", type=FILE)
@click.option("--at", type=_TimeOfDay(), required=True, help="When, each day.")
@click.option("--as", "kind", type=click.Choice(["cron", "systemd"]), default="cron", show_default=True)
@click.option("--zone", default="", metavar="ZONE", help="As Europe/Vienna; else the clock of this machine.")
@click.option("--system", "of_system", is_flag=True, help="systemd: a unit of the system, not of this user.")
@click.option("--install", is_flag=True, help="Put it in place, not only print it; asks first.")
@click.option("--yes", is_flag=True, help="With --install: do not ask.")
@REPLACE
@common
def schedule(
    file: Path,
    *,
    at: time,
    kind: str,
    zone: str,
    of_system: bool,
    install: bool,
    yes: bool,
    replace: bool,
    as_json: bool,
) -> None:
    """Print what runs a pipeline every day: a line for crontab, or a service and a timer of systemd.

    Guards hold in such a run: what would need --yes stops it, and the next morning says so.
    """
    config = read_file(file)
    job = Job(config.pipeline, _this_command(), config.path, at, _zone(zone, kind))
    texts = {"crontab": "\n".join(cron_lines(job)) + "\n"} if kind == "cron" else systemd_units(job)
    missing = _missing_at_night(config.path)
    if install and missing is not None:
        raise ConfigError(f"nothing was installed: {missing}")
    if install:
        _agreed(texts, yes=yes)
        if kind == "cron":
            install_cron(job, replace=replace)
        else:
            folder = unit_folder(os.environ, of_system=of_system)
            install_systemd(job, folder, of_system=of_system, replace=replace)
    if as_json:
        print_json({"as": kind, "clock": _clock(job), "texts": texts, "installed": install})
    elif not install:
        print_lines(_lines(texts, is_whole=kind == "systemd"))
    for line in _notes(job, kind, missing, install=install, of_system=of_system):
        tell(line)


def _this_command() -> tuple[str, ...]:
    """The console script of this installation, not what it links to: a venv is known by the link."""
    script = Path(sys.executable).with_name("kartra-sync")
    return (str(script),) if script.is_file() else (sys.executable, "-m", "pipelines")


def _zone(named: str, kind: str) -> str:
    if not named:
        return _zone_of_machine(os.environ) if kind == "systemd" else ""
    try:
        ZoneInfo(named)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"--zone {named}: no such time zone; write one as Europe/Vienna") from None
    if kind == "cron" and named != _zone_of_machine(os.environ):
        raise ConfigError(
            f"--zone {named}: cron goes by the clock of the machine"
            f" ({_zone_of_machine(os.environ) or 'its zone has no name'}); --as systemd knows zones"
        )
    return named


def _zone_of_machine(environ: Mapping[str, str]) -> str:
    """Its IANA name; empty where it has none. TZ is this shell's alone, and neither cron's nor systemd's."""
    place = Path("/etc/localtime").resolve()
    name = str(place).partition("zoneinfo/")[2]
    try:
        return name if name and ZoneInfo(name) else ""
    except (ZoneInfoNotFoundError, ValueError):
        return ""


def _missing_at_night(file: Path) -> str | None:
    """What the file needs and only this shell has, in words: cron and systemd do not hand it on."""
    at_night = {name: os.environ[name] for name in KEPT if name in os.environ}
    try:
        require_credentials(read_pipeline(file, at_night))
    except ConfigError as error:
        return (
            f"{error}. What this shell exports is not there at night: put it into a file .env beside"
            " the pipeline (chmod 600)"
        )
    return None


def _agreed(texts: Mapping[str, str], *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("nobody can be asked here: --yes says to install it")
    for line in _lines(texts, is_whole=False):
        click.echo(line, err=True)
    click.confirm("Install this?", abort=True, err=True)


def _lines(texts: Mapping[str, str], *, is_whole: bool) -> Iterator[str]:
    for name, text in texts.items():
        if is_whole:
            yield f"# {name}"
        yield from text.splitlines()


def _clock(job: Job) -> str:
    return job.zone or _zone_of_machine(os.environ) or "local"


def _notes(job: Job, kind: str, missing: str | None, *, install: bool, of_system: bool) -> Iterator[str]:
    yield f"{'installed: ' if install else ''}every day at {job.at:%H:%M}, {_clock(job)} time"
    if missing is not None:
        yield f"it would not run yet: {missing}"
    if kind == "cron" and not install:
        yield "put both lines into your crontab (crontab -e), or let --install do it"
    if kind == "cron":
        yield "cron leaves out a night in which the machine is off; --as systemd makes it up"
    elif not install:
        yield f"both files belong into {unit_folder(os.environ, of_system=of_system)}; --install does it"
    if kind == "systemd" and not of_system:
        yield "a user's timer runs while the user is logged in; always, after: loginctl enable-linger"
