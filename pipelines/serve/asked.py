"""Who asked for what on the page, written down where the owner of the pipeline finds it.

A line of JSON for each: when, who, what. No key and no address of a person stands in it.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from connectors.own_files import PRIVATE_FILE, make_folder
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import StateError

LISTED = 200


@dataclass(frozen=True, slots=True)
class Asked:
    at: str
    who: str
    what: str


def write_down(config: PipelineConfig, who: str, what: str) -> None:
    """Beside the pipeline. Raises StateError where it cannot be: what is not written down is not shown
    either."""
    write_down_in(_place(config), who, what)


def write_down_in(path: Path, who: str, what: str) -> None:
    """Raises StateError."""
    line = json.dumps(asdict(Asked(datetime.now(UTC).isoformat(timespec="seconds"), who, what)))
    try:
        make_folder(path.parent)
        # O_APPEND keeps the lines of two servers apart; O_NOFOLLOW keeps a planted symbolic link from
        # sending them into another file.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, PRIVATE_FILE)
        with os.fdopen(descriptor, "a", encoding="utf-8") as handle:
            handle.write(f"{line}\n")
    except OSError as error:
        raise StateError(f"{path}: who asked cannot be written down: {error.strerror}") from error


def asked_of(config: PipelineConfig) -> list[Asked]:
    """The newest first."""
    return asked_in(_place(config))


def asked_in(path: Path) -> list[Asked]:
    """The newest first; a line that was cut short is left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror}") from error
    found = []
    for line in reversed(lines[-LISTED:]):
        try:
            found.append(Asked(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def _place(config: PipelineConfig) -> Path:
    account = f"{config.kartra.account}." if config.kartra.account else ""
    return config.path.parent / f".{_plain(account)}{config.pipeline}.asked.jsonl"


def _plain(name: str) -> str:
    """The name of an account is a person's words, and no path."""
    return re.sub(r"[^A-Za-z0-9_.-]|^\.+", "_", name)
