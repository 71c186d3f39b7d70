"""The verb `schedule`: the line of cron, or the units of systemd, that run a pipeline every night. Pure.

No secret stands in them: what runs at night takes its credentials from where the file says. Every path is
absolute, for neither cron nor systemd starts in a folder of the user's or with a PATH of the user's.
"""

import shlex
from dataclasses import dataclass
from datetime import time
from pathlib import Path

from connectors.errors import ConfigError

MARK = "# kartra-sync schedule of"
"""How the line begins by which an entry is recognised as ours, with the pipeline file after it."""
SETTLED_WITHIN_S = 180
"""How long systemd waits after SIGTERM: calls in flight are settled, and one of them may take its time-out
and be read back."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run, and when. `zone` is an IANA name, or empty: the clock of the machine.

    `command` starts the program; `file` is the pipeline file. Both are absolute.
    """

    pipeline: str
    command: tuple[str, ...]
    file: Path
    at: time
    zone: str = ""

    def __post_init__(self) -> None:
        """Raises ConfigError for a path that no line can hold."""
        for text in (*self.command, str(self.file)):
            if not text.isprintable():
                raise ConfigError(
                    f"{text!r}: a line end or a sign that nobody sees stands in this path, which neither cron"
                    " nor systemd can be given: rename the folder or the file"
                )

    @property
    def mark(self) -> str:
        return f"{MARK} {self.file}"

    @property
    def words(self) -> tuple[str, ...]:
        return (*self.command, "run", str(self.file))

    @property
    def unit(self) -> str:
        """The name that both units have before their suffix."""
        return f"kartra-sync-{self.pipeline}"


def cron_lines(job: Job) -> list[str]:
    """The mark and the line for a crontab.

    Cron makes a line end of a bare %, whatever the quotes around it.
    """
    # Cron would mail the output, which on most machines reaches nobody.
    log = job.file.with_name(f"{job.file.stem}.log")
    command = f"cd {shlex.quote(str(job.file.parent))} && {shlex.join(job.words)} >> {shlex.quote(str(log))}"
    when = f"{job.at.minute} {job.at.hour} * * *"
    return [job.mark, f"{when} {command.replace('%', chr(92) + '%')} 2>&1"]


def systemd_units(job: Job) -> dict[str, str]:
    """The text of the service and of its timer, by file name."""
    folder = str(job.file.parent)
    if folder.endswith("\\"):
        raise ConfigError(f"{folder}: a folder whose name ends in a backslash cannot be given to systemd")
    # KillMode=mixed: SIGTERM goes to the run alone, which settles its calls; what is left at the end is
    # killed.
    service = f"""\
{job.mark}
[Unit]
Description=kartra-sync {job.pipeline}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={_literal(folder)}
ExecStart={" ".join(map(_quoted, job.words))}
# 3: done, some leads were refused; `kartra-sync rejects` lists them.
SuccessExitStatus=3
TimeoutStopSec={SETTLED_WITHIN_S}
KillMode=mixed
UMask=0077
NoNewPrivileges=yes
"""
    timer = f"""\
{job.mark}
[Unit]
Description=kartra-sync {job.pipeline} at {job.at:%H:%M} {job.zone or "by the clock of this machine"}

[Timer]
OnCalendar=*-*-* {job.at:%H:%M}:00{f" {job.zone}" if job.zone else ""}
# A night in which the machine was off is made up when it is on again.
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {f"{job.unit}.service": service, f"{job.unit}.timer": timer}


def with_entry(crontab: str, job: Job, *, replace: bool) -> str:
    """A crontab with the entry of this job, which takes the place of an older one where `replace`.

    Raises ConfigError where there is an older one that says something else.
    """
    lines = crontab.splitlines()
    entry = cron_lines(job)
    if job.mark in lines:
        place = lines.index(job.mark)
        if lines[place : place + 2] != entry and not replace:
            raise ConfigError(f"the crontab has another line for {job.file}: --replace replaces it")
        lines[place : place + 2] = entry
    else:
        lines += entry
    return "\n".join(lines) + "\n"


def _literal(text: str) -> str:
    """For a setting that takes the rest of its line: only % means something there."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """For ExecStart: quotes and backslashes as in C, % and $ twice."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if not word or set(word) & set(" '\"\\;") else escaped
