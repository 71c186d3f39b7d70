"""What `kartra-sync` says without a verb: where to begin, by what it finds in this folder."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from connectors.errors import SyncError
from pipelines.cli.exits import USAGE, leave
from pipelines.cli.files import read_file
from pipelines.cli.output import tell
from pipelines.cli.status import status_lines
from pipelines.verbs.status import PipelineStatus, status_of

SHOWN = 3
_PIPELINE = re.compile(r"^pipeline\s*:", re.MULTILINE)
_CONTACTS = (".csv", ".tsv", ".xlsx", ".parquet", ".jsonl", ".zip")
_MOST_BYTES = 1_000_000
"""Of a YAML file: no pipeline file is longer."""


@click.command()
def begin() -> None:
    """Say where to begin in this folder."""
    for line in begin_lines(Path.cwd()):
        tell(line)
    leave(USAGE)  # a script that forgot its verb has done nothing


def begin_lines(folder: Path) -> Iterator[str]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    pipelines = [path for path in files if path.suffix in (".yaml", ".yml") and _is_pipeline(path)]
    contacts = [path for path in files if path.suffix.lower() in _CONTACTS]
    if pipelines:
        for path in pipelines[:SHOWN]:
            yield from _of_pipeline(Path(path.name))
        if len(pipelines) > SHOWN:
            yield f"and {len(pipelines) - SHOWN:,} more pipeline files: kartra-sync status"
    elif contacts:
        yield f"{_listed(contacts)} {'is' if len(contacts) == 1 else 'are'} here, and no pipeline file yet."
        yield f"  write one:         kartra-sync init {_argument(contacts[0])}"
        yield f"  look at it first:  kartra-sync inspect {_argument(contacts[0])}"
    else:
        yield "kartra-sync keeps a Kartra account in step with your own contacts. This folder has none yet."
        yield "  see it work, without an account:  kartra-sync demo"
        yield "  with contacts of yours:           kartra-sync init contacts.csv"
    yield "Every verb: kartra-sync --help"


def _of_pipeline(file: Path) -> Iterator[str]:
    name = _argument(file)
    try:
        status = status_of(read_file(file))
    except (SyncError, OSError):
        yield f"{file}: it cannot be read, or what it needs is not there."
        yield f"  what is wrong:  kartra-sync check {name}"
        return
    if status.last_run is None:
        yield f"{file}: a pipeline that has not run yet."
        yield f"  is it right:            kartra-sync check {name}"
        yield f"  what a run would send:  kartra-sync plan {name}"
        yield f"  send it:                kartra-sync run {name}"
        return
    yield from status_lines(status)
    yield from _next(status, name)


def _next(status: PipelineStatus, name: str) -> Iterator[str]:
    waiting, ended = status.waiting, status.last_run.status if status.last_run else ""
    if waiting.parked:
        yield f"  who has to act:      kartra-sync parked {name}"
    if waiting.rejected or ended == "partial":
        yield f"  who and why:         kartra-sync rejects {name}"
    if waiting.unknown or (
        status.last_run and status.last_run.status in ("failed", "interrupted", "refused")
    ):
        yield f"  go on:               kartra-sync run {name}"
    else:
        yield f"  what has changed:    kartra-sync plan {name}"


def _is_pipeline(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as handle:
            # As text: a folder may hold YAML of other programs, which is nobody's business here, broken or
            # not.
            return bool(_PIPELINE.search(handle.read(_MOST_BYTES)))
    except OSError:
        return False


def _listed(paths: Sequence[Path]) -> str:
    names = [path.name for path in paths[:SHOWN]]
    more = len(paths) - len(names)
    names += [f"{more:,} more"] if more else []
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _argument(path: Path) -> str:
    """The file as it is typed."""
    return path.name if re.fullmatch(r"[\w.+-]+", path.name) else f"'{path.name}'"
