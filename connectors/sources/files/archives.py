"""What is packed, unpacked onto a disk: within bounds, and under names that lead nowhere else.

A few kilobytes can stand for terabytes, in one member, in many, or in one that all names share. So what comes
out is counted for the source as a whole, and by how much larger it is than the archive.
"""

import bz2
import errno
import gzip
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from connectors.errors import SourceError
from connectors.sources.files.private_folder import PrivateFolder
from connectors.sources.files.remote import Room

MAX_MEMBERS = 10_000
MAX_DIRECTORY_BYTES = 16 * 1024**2
"""Of the names in an archive, which are all in memory when it is opened."""
MAX_RATIO = 200
"""Tables with little in them shrink to a fiftieth."""
UNSUSPICIOUS_BYTES = 64 * 1024**2
_BLOCK_BYTES = 1024 * 1024
_UNPACKERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_UNPACKING_ERRORS = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError, KeyError, struct.error),
)
"""Of a damaged archive, one with a password, one that is compressed in a way that Python does not know."""
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")


def unpacked(path: Path, folder: PrivateFolder, name: str, member: str | None, room: Room) -> Iterator[Path]:
    """The file itself, or what is in it, then in `folder` under `name`. Raises SourceError."""
    suffix = path.suffix.lower()
    try:
        if suffix in _UNPACKERS:
            with _UNPACKERS[suffix](path) as source:
                yield _copied(source, folder.path / name / _file_name(path.stem), room, _expansion(path))
        elif suffix == ".zip":
            yield from _members(path, folder.path / name, member, room)
        else:
            yield path
    except _UNPACKING_ERRORS as error:
        raise _damaged(path, error) from error


def member_names(path: Path) -> list[str]:
    """Every file of an archive or a folder, by name, but for what macOS adds. Raises SourceError."""
    if path.is_dir():
        names = [file.name for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
        if len(names) > MAX_MEMBERS:
            raise SourceError(f"{path.name} is a folder of more than {MAX_MEMBERS:,} files: name a glob")
        return sorted(names)
    try:
        refuse_many_members(path)
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except _UNPACKING_ERRORS as error:
        raise _damaged(path, error) from error
    return sorted(
        name
        for name in names
        if not name.endswith("/") and not name.startswith("__MACOSX/") and not name.endswith(".DS_Store")
    )


def refuse_many_members(path: Path) -> None:
    """Before their names are read into memory. Raises SourceError, OSError."""
    members, directory = _announced(path)
    if members > MAX_MEMBERS or directory > MAX_DIRECTORY_BYTES:
        raise SourceError(f"{path.name} is an archive of more than {MAX_MEMBERS:,} files, so it is not read")


def _announced(path: Path) -> tuple[int, int]:
    """Members, and bytes of their directory, as the end of the archive says; zeros where it has none."""
    with path.open("rb") as handle:
        size = handle.seek(0, 2)
        # The end of an archive may be followed by a comment of 65,535 bytes at most.
        start = handle.seek(max(0, size - _END.size - 65_535))
        tail = handle.read()
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) < at + _END.size:
            return 0, 0
        *_, members, directory, _, _ = _END.unpack_from(tail, at)
        before = at - _LOCATOR_64.size
        if before < 0 or not tail.startswith(b"PK\6\7", before):
            return members, directory
        place = start + before - _END_64.size  # where it has to be, and where zipfile looks
        if place < 0:
            return members, directory
        handle.seek(place)
        mark, *_, many, large, _ = _END_64.unpack(handle.read(_END_64.size))
        return (many, large) if mark == b"PK\6\6" else (members, directory)


class Expansion:
    """How much larger than what is packed is what came out of it so far."""

    def __init__(self, name: str, packed: int = 0) -> None:
        self._name, self.packed = name, packed
        self._unpacked = 0

    def take(self, size: int) -> None:
        """Raises SourceError."""
        self._unpacked += size
        # A small file of one repeated line shrinks far more, and does no harm.
        if self._unpacked > max(UNSUSPICIOUS_BYTES, MAX_RATIO * self.packed):
            raise SourceError(
                f"{self._name} unpacks to more than {MAX_RATIO} times its size, as no list of contacts does:"
                " it is not read"
            )


def _expansion(path: Path) -> Expansion:
    return Expansion(path.name, path.stat().st_size)


def _members(path: Path, folder: Path, member: str | None, room: Room) -> Iterator[Path]:
    names = [name for name in member_names(path) if fnmatch(PurePosixPath(name).name, member or "*")]
    if not names:
        what = "an archive without a file in it" if member is None else f"an archive without {member}"
        raise SourceError(f"{path.name} is {what}")
    expansion = _expansion(path)
    with zipfile.ZipFile(path) as archive:
        for number, name in enumerate(names):
            with archive.open(name) as source:
                target = folder / str(number) / _file_name(name)
                yield _copied(cast(BinaryIO, source), target, room, expansion)


def _file_name(member: str) -> str:
    """A name that a disk takes: those in an archive may be of any bytes and length, or lead out of it."""
    name = re.sub(r"[\0-\x1f\x7f/\\\ud800-\udfff]", "_", PurePosixPath(member.replace("\\", "/")).name)[-80:]
    return name if name.strip(". ") else "file"


def _copied(source: BinaryIO, target: Path, room: Room, expansion: Expansion) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as handle:
        while block := source.read(_BLOCK_BYTES):
            expansion.take(len(block))
            room.take(len(block), target.name)
            handle.write(block)
    return target


def _damaged(path: Path, error: Exception) -> SourceError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return SourceError(f"{path.name} finds no room where it is unpacked: {error.strerror}")
    return SourceError(f"{path.name} cannot be unpacked: it is damaged, or needs a password")
