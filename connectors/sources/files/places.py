"""Where files come from: a path, folder, glob, archive, standard input or URL. All end as files on a disk.

What has to be fetched or unpacked goes into a private folder that lasts as long as the source does, because a
source is read more than once.
"""

import bz2
import gzip
import lzma
import re
import shutil
import struct
import sys
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from connectors.errors import ConfigError, SourceError
from connectors.sources import BadRow, Chunk, Source
from connectors.sources.files.encoding import SHOWN_WORDS
from connectors.sources.files.watched import WatchedFile, watched

STANDARD_INPUT = "-"
MAX_UNPACKED_BYTES = 16 * 1024**3
"""No list of contacts is as large; a small archive may be made to fill a disk."""
_BLOCK_BYTES = 1024 * 1024
_UNPACKERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_CHOOSE = 'files of one header are needed; choose with `member:`, as member: "contacts*"'


class PrivateFolder:
    """A folder that is made when it is needed, and goes with the last who holds it."""

    def __init__(self) -> None:
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        if self._path is None:
            self._path = Path(tempfile.mkdtemp(prefix="kartra-sync-"))
            weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
        return self._path


@dataclass(frozen=True, slots=True)
class Places:
    """Files to be read one after the other; `folder` holds those that were fetched or unpacked.

    `way_out` is what a person can do where they are not of one table.
    """

    files: tuple[Path, ...]
    originals: tuple[WatchedFile, ...]
    folder: "PrivateFolder" = field(repr=False)
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
    if isinstance(path, str):
        return Places(tuple(_unpacked(_fetched(path, folder.path), folder, "fetched", member)), (), folder)
    if path.is_dir():
        return _in_folder(path, member, folder)
    originals = [watched(file) for file in _matching(path)]
    files = [
        file
        for number, original in enumerate(originals)
        for file in _unpacked(original.path, folder, str(number), member)
    ]
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
    with path.open("wb") as target:
        shutil.copyfileobj(sys.stdin.buffer, target)
    return folder, path


def _fetched(url: str, folder: Path) -> Path:
    """The file behind a URL, by fsspec: http, https, s3, gs, az, ftp, sftp …"""
    import fsspec  # what it needs for a protocol it imports itself

    name = PurePosixPath(re.sub(r"[?#].*", "", url)).name or "download"
    try:
        with fsspec.open(url, "rb") as source, (folder / name).open("wb") as target:
            shutil.copyfileobj(source, target)
    except ImportError as error:
        raise ConfigError(f"{name}: {error}") from error
    except ValueError as error:
        raise ConfigError(f"{name}: its URL is of a kind that is not known") from error
    except FileNotFoundError as error:
        raise SourceError(f"{name} cannot be fetched: it is not there") from error
    except Exception as error:  # each protocol has errors of its own, whose words may hold the whole URL
        raise SourceError(f"{name} cannot be fetched: {type(error).__name__}") from error
    return folder / name


def _unpacked(path: Path, folder: PrivateFolder, name: str, member: str | None) -> Iterator[Path]:
    """The file itself, or what is in it, then in `folder` under `name`."""
    suffix = path.suffix.lower()
    try:
        if suffix in _UNPACKERS:
            with _UNPACKERS[suffix](path) as source:
                yield _copied(source, folder.path / name / path.stem)
        elif suffix == ".zip":
            yield from _members(path, folder.path / name, member)
        else:
            yield path
    except _UNPACKING_ERRORS as error:
        raise _damaged(path) from error


_UNPACKING_ERRORS = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError, KeyError, struct.error),
)
"""Of a damaged archive, one with a password, one that is compressed in a way that Python does not know."""


def _damaged(path: Path) -> SourceError:
    return SourceError(f"{path.name} cannot be unpacked: it is damaged, or needs a password")


def member_names(path: Path) -> list[str]:
    """Every file of an archive or a folder, by name, but for what macOS adds. Raises SourceError."""
    if path.is_dir():
        return sorted(
            file.name for file in path.iterdir() if file.is_file() and not file.name.startswith(".")
        )
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except _UNPACKING_ERRORS as error:
        raise _damaged(path) from error
    return sorted(
        name
        for name in names
        if not name.endswith("/") and not name.startswith("__MACOSX/") and not name.endswith(".DS_Store")
    )


def _members(path: Path, folder: Path, member: str | None) -> Iterator[Path]:
    names = [name for name in member_names(path) if fnmatch(PurePosixPath(name).name, member or "*")]
    if not names:
        what = "an archive without a file in it" if member is None else f"an archive without {member}"
        raise SourceError(f"{path.name} is {what}")
    with zipfile.ZipFile(path) as archive:
        for number, name in enumerate(names):
            with archive.open(name) as source:
                yield _copied(cast(BinaryIO, source), folder / str(number) / _file_name(name))


def _file_name(member: str) -> str:
    """A name that a disk takes: those in an archive may be of any bytes and length."""
    return re.sub(r"[\0-\x1f/\\\ud800-\udfff]", "_", PurePosixPath(member).name)[-80:]


def _copied(source: BinaryIO, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    unpacked = 0
    with target.open("wb") as handle:
        while block := source.read(_BLOCK_BYTES):
            unpacked += len(block)
            if unpacked > MAX_UNPACKED_BYTES:
                raise SourceError(
                    f"{target.name} is more than {MAX_UNPACKED_BYTES:,} bytes when it is unpacked"
                )
            handle.write(block)
    return target
