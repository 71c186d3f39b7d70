"""The files near a pipeline that still name a person: copies, exports and lists that were made before.

A name is searched for as it is written in UTF-8, in UTF-16 and in the escapes of JSON; what is compressed
(Parquet, gzip, zip and so workbooks) is unpacked for it. Names are keys and addresses, nothing else.
"""

import gzip
import json
import os
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from pyarrow import ArrowException, parquet

from pipelines.config.pipeline import PipelineConfig, files_of

MOST_FILES = 2_000
MOST_BYTES = 2 << 30
"""Of all files together, and of one file once it is unpacked: a bomb of zeros ends here."""
DEPTH = 2
"""How many levels of folders below the pipeline's are searched."""
_PIECE = 1 << 20
_UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, ArrowException, RuntimeError)
_OF_AN_EXPORT = frozenset({"leads", "lead_roster", "lead_changes", "transactions", "subscriptions"})
_NOT_OURS = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__"})


def written_forms(names: Collection[str]) -> frozenset[bytes]:
    """The bytes in which a name may be written, in small letters."""
    forms = set()
    for name in names:
        for text in (name.lower(), json.dumps(name.lower())[1:-1]):
            forms |= {text.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")}
    return frozenset(form for form in forms if form)


def files_near(config: PipelineConfig, *, leaving_out: Collection[Path]) -> tuple[list[Path], list[Path]]:
    """The files in the folders of the pipeline, and the folders of which not all could be listed.

    Left out are the sources, whose rows are the person's to be deleted there, and the state itself.
    """
    state = [config.state] if isinstance(config.state, Path) else []
    used = [path for path in (*files_of(config), *state, *leaving_out) if path.exists()]
    apart = {path.resolve() for path in used if path.is_file()}
    folders = {config.path.parent.resolve(), *(path.parent.resolve() for path in used)}
    if config.pull is not None and isinstance(config.pull.into, Path):
        folders.add(config.pull.into.parent.resolve())
        # The tables of the pull were erased from just now: what is left of the person there has to be found.
        apart.discard(config.pull.into.resolve())
    if config.operations is not None and config.operations.results is not None:
        apart.discard(config.operations.results.resolve())
    found: dict[Path, None] = {}
    unread = []
    room = MOST_BYTES
    for folder in sorted(folders):
        for file in _files(folder, DEPTH):
            if file in apart or file in found:
                continue
            room -= file.stat().st_size
            if len(found) >= MOST_FILES or room < 0:
                unread.append(folder)
                break
            found[file] = None
    return sorted(found), unread


def whole_exports(files: Collection[Path]) -> list[Path]:
    """The files, and instead of a table of an export its folder: other tables there hold the person's
    number."""
    return sorted({file.parent if file.stem in _OF_AN_EXPORT else file for file in files})


def _files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        # Links are not followed: they may lead out of these folders, or in a circle.
        if entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        elif depth and entry.is_dir(follow_symlinks=False) and entry.name not in _NOT_OURS:
            yield from _files(Path(entry.path), depth - 1)


def holds_any(file: Path, wanted: Collection[bytes]) -> bool:
    """Whether a file holds one of the forms. A file that cannot be read counts as one that does."""
    overlap = max(map(len, wanted), default=1) - 1
    before = b""
    try:
        for piece in _pieces(file):
            text = before + _lower(piece)
            if any(form in text for form in wanted):
                return True
            # A name may lie across two pieces.
            before = text[len(text) - overlap :]
    except _UNREADABLE:
        return file.exists()
    return False


def _lower(piece: bytes) -> bytes:
    """The piece in small letters: all letters of UTF-8, or only those of ASCII where it is not UTF-8."""
    try:
        return piece.decode().lower().encode()
    except UnicodeDecodeError:
        return piece.lower()


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as handle:
        start = handle.read(4)
        handle.seek(0)
        yield from _read(handle)
    if start == b"PAR1":
        yield from _parquet_pieces(file)
    elif start[:2] == b"\x1f\x8b":
        with gzip.open(file) as unpacked:
            yield from _read(unpacked)
    elif start == b"PK\x03\x04":
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    yield from _read(member)


def _parquet_pieces(file: Path) -> Iterator[bytes]:
    with parquet.ParquetFile(file) as table:
        for batch in table.iter_batches():
            for column in batch.columns:
                yield "\n".join(str(value) for value in column.to_pylist() if value is not None).encode()


class _Bytes(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _read(handle: _Bytes) -> Iterator[bytes]:
    room = MOST_BYTES
    while piece := handle.read(_PIECE):
        room -= len(piece)
        if room < 0:
            raise OSError("it unpacks to more than is searched")
        yield piece
