"""Where files come from: a path, folder, glob, archive, standard input or URL. All end as files on a disk.

What has to be fetched or unpacked goes into a private folder that lasts as long as the source does, because a
source is read more than once.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from connectors.errors import SourceError
from connectors.sources import BadRow, Chunk, Source
from connectors.sources.files.archives import member_names, unpacked
from connectors.sources.files.encoding import SHOWN_WORDS
from connectors.sources.files.private_folder import PrivateFolder
from connectors.sources.files.remote import Room, fetched, taken_in
from connectors.sources.files.watched import WatchedFile, watched

STANDARD_INPUT = "-"
_CHOOSE = 'files of one header are needed; choose with `member:`, as member: "contacts*"'


@dataclass(frozen=True, slots=True)
class Places:
    """Files to be read one after the other; `folder` holds those that were fetched or unpacked.

    `way_out` is what a person can do where they are not of one table.
    """

    files: tuple[Path, ...]
    originals: tuple[WatchedFile, ...]
    folder: PrivateFolder = field(repr=False)
    way_out: str = "files of one header are needed"


def open_files(
    open_one: Callable[..., Source], path: Path | str, *, member: str | None = None, **options: Any
) -> Source:
    """What `open_one` makes of the file, or of each of several files with the same columns.

    `path` may be a path, a glob, "-" or a URL; `member` a glob of the names in an archive. Raises
    SourceError, ConfigError.
    """
    places = _found(path, member)
    parts = tuple(open_one(file, **options) for file in places.files)
    first = parts[0]
    for file, part in zip(places.files[1:], parts[1:], strict=True):
        _refuse_other_columns(first, part, places.files[0].name, file.name, places.way_out)
    notes = first.notes if len(parts) == 1 else (f"{len(parts)} files", *first.notes)
    words = tuple(dict.fromkeys(word for part in parts for word in part.words))[:SHOWN_WORDS]
    return SeveralFiles(first.columns, notes, words, parts, places)


@dataclass(frozen=True, slots=True)
class SeveralFiles:
    """A Source of sources. Rows are numbered on from file to file, lines are those of each file."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    words: tuple[str, ...]
    _parts: tuple[Source, ...]
    _places: Places = field(repr=False)

    def chunks(self) -> Iterator[Chunk]:
        self._refuse_change()
        before = 0
        for part in self._parts:
            last = 1  # the header
            for chunk in part.chunks():
                good = () if chunk.frame.empty else (int(chunk.frame.index.max()),)
                last = max(last, *good, *(bad.row for bad in chunk.bad_rows))
                yield _moved(chunk, before) if before else chunk
            before += last
        self._refuse_change()

    def _refuse_change(self) -> None:
        for file in self._places.originals:
            file.refuse_change()


def _moved(chunk: Chunk, by: int) -> Chunk:
    frame = chunk.frame.set_axis(chunk.frame.index + by, axis="index").rename_axis("row")
    bad_rows = tuple(BadRow(bad.row + by, bad.line, bad.reason, bad.cells) for bad in chunk.bad_rows)
    faults = tuple(replace(fault, row=fault.row + by) for fault in chunk.faults)
    return Chunk(frame, chunk.lines, bad_rows, faults=faults)


def _refuse_other_columns(first: Source, other: Source, first_name: str, name: str, way_out: str) -> None:
    """Columns go by number: what is taken for a header may be a person's record."""
    if first.columns == other.columns:
        return
    here, there = len(first.columns), len(other.columns)
    if here != there:
        raise SourceError(f"{name} has {there} columns, {first_name} has {here}: {way_out}")
    pairs = zip(first.columns, other.columns, strict=True)
    place = next(number for number, (one, another) in enumerate(pairs, 1) if one != another)
    raise SourceError(f"column {place} of {name} is not that of {first_name}: {way_out}")


def _found(path: Path | str, member: str | None) -> Places:
    folder = PrivateFolder()
    if path == STANDARD_INPUT:
        return Places((_standard_input()[1],), (), folder)
    room = Room(folder)
    if isinstance(path, str):
        file = fetched(path, folder.path, room)
        return Places(tuple(unpacked(file, folder, "fetched", member, room)), (), folder)
    if path.is_dir():
        return _in_folder(path, member, folder)
    originals = [watched(file) for file in _matching(path)]
    files = [
        file
        for number, original in enumerate(originals)
        for file in unpacked(original.path, folder, str(number), member, room)
    ]
    # What was unpacked is of one version only if its archive is still the same.
    for original in originals:
        original.refuse_change()
    is_archive = len(originals) == 1 and len(files) > 1
    return Places(tuple(files), tuple(originals), folder, *([_CHOOSE] if is_archive else []))


def _in_folder(path: Path, member: str | None, folder: PrivateFolder) -> Places:
    """The files of a folder, as those of an archive."""
    names = [name for name in member_names(path) if fnmatch(PurePosixPath(name).name, member or "*")]
    if not names:
        raise SourceError(f"{path.name} is a folder without {'a file in it' if member is None else member}")
    originals = tuple(watched(path / name) for name in names)
    return Places(tuple(file.path for file in originals), originals, folder, _CHOOSE)


def _matching(path: Path) -> list[Path]:
    """A file of just this name goes before a glob."""
    if not re.search(r"[*?\[]", str(path)) or path.exists():
        return [path]
    anchor = Path(path.anchor)
    found = sorted(file for file in anchor.glob(str(path.relative_to(anchor))) if file.is_file())
    if not found:
        raise SourceError(f"no file is named {path.name} in {path.parent}")
    return found


@cache
def _standard_input() -> tuple[PrivateFolder, Path]:
    """Whatever arrives there, once for the process: it can be read only once."""
    folder = PrivateFolder()
    path = folder.path / "standard input"
    taken_in(sys.stdin.buffer, path, Room(folder))
    return folder, path
