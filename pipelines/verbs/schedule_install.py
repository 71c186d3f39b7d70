"""Puts a schedule where cron or systemd finds it; both are asked through their own commands."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from connectors.errors import ConfigError, SyncError
from pipelines.verbs.schedule import MARK, Job, systemd_units, with_entry

ASKED_S = 60


def install_cron(job: Job, *, replace: bool) -> None:
    """Raises ConfigError where another line stands there, SyncError where crontab fails."""
    listed = _asked(["crontab", "-l"])
    if listed.returncode not in (0, 1):  # 1: this user has none yet
        raise _failed("crontab -l", listed)
    before = listed.stdout if listed.returncode == 0 else ""
    after = with_entry(before, job, replace=replace)
    if after == before:
        return
    written = _asked(["crontab", "-"], after)
    if written.returncode:
        raise _failed("crontab", written)


def install_systemd(job: Job, folder: Path, *, of_system: bool, replace: bool) -> list[Path]:
    """The files that were written, and their timer started. Raises ConfigError, SyncError."""
    units = {folder / name: text for name, text in systemd_units(job).items()}
    # Both are checked before either is written: a service without its timer helps nobody.
    for path in units:
        _refuse_other(path, units[path], job, replace=replace)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in units.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}") from error
    control = ["systemctl"] if of_system else ["systemctl", "--user"]
    for words in (["daemon-reload"], ["enable", "--now", f"{job.unit}.timer"]):
        done = _asked([*control, *words])
        if done.returncode:
            raise _failed(" ".join([*control, *words]), done)
    return list(units)


def unit_folder(environ: Mapping[str, str], *, of_system: bool) -> Path:
    """Where systemd looks for units of the administrator, or of the user."""
    if of_system:
        return Path("/etc/systemd/system")
    named = environ.get("XDG_CONFIG_HOME", "")
    config = Path(named) if named.startswith("/") else Path.home() / ".config"
    return config / "systemd" / "user"


def _refuse_other(path: Path, text: str, job: Job, *, replace: bool) -> None:
    """Raises ConfigError for a unit that is not this one: somebody's own, or of another file."""
    try:
        there = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if there == text or replace:
        return
    first = there.partition("\n")[0]
    if first.startswith(MARK) and first != job.mark:
        raise ConfigError(
            f"{path} runs {first.removeprefix(MARK).strip()}, whose pipeline has the same name: give one of"
            " them another, or replace it with --replace"
        )
    raise ConfigError(f"{path} is there already and says something else; --replace replaces it")


def _asked(words: Sequence[str], given: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - the words are ours
            words,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=ASKED_S,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise ConfigError(
            f"{words[0]} is not on this machine: leave --install out, and put in place what is printed"
        ) from None
    except subprocess.TimeoutExpired:
        raise SyncError(f"{words[0]} did not answer within {ASKED_S} s") from None


def _failed(command: str, done: subprocess.CompletedProcess[str]) -> SyncError:
    said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    return SyncError(f"{command} failed: {said}")
