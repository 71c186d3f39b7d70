"""Files with people's data: only their owner can read them, from the first moment."""

import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from connectors.errors import ConfigError
from connectors.own_files import create_anew, keep_owner, make_folder

_ASIDE = ".export-"
_LEFT_S = 86_400.0


@contextmanager
def open_private(path: Path | None, encoding: str = "utf-8") -> Iterator[TextIO]:
    """A text file to write, for the csv module; None is stdout.

    A file replaces an existing one only when it is complete; a device or a pipe is written directly. Raises
    ConfigError if that fails.
    """
    if path is None:
        yield getattr(sys.stdout, "exact", sys.stdout)
    elif path.exists() and not path.is_file() and not path.is_dir():
        with _opened(path, encoding) as handle:
            yield handle
    else:
        with replaced_private(path, encoding) as handle:
            yield handle


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[TextIO]:
    try:
        # Not open() and chmod: for a moment others could read it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding=encoding, newline="") as handle:
        yield handle


def create_private(path: Path) -> TextIO:
    """A new text file, for the csv module. Raises OSError, FileExistsError among them."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


@contextmanager
def written_aside(folder: Path) -> Iterator[Path]:
    """A temporary folder on the same disk, for files that are not complete yet. Raises ConfigError."""
    try:
        make_folder(folder)
        _sweep(folder)
        with tempfile.TemporaryDirectory(prefix=_ASIDE, dir=folder) as aside:
            yield Path(aside)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _sweep(folder: Path) -> None:
    """What an export left that was killed: a day later nobody writes there any more."""
    for left in folder.glob(f"{_ASIDE}*"):
        with suppress(OSError):
            if left.is_dir() and not left.is_symlink() and time.time() - left.stat().st_mtime > _LEFT_S:
                shutil.rmtree(left)


def refuse_existing(paths: Iterable[Path]) -> None:
    """Raises ConfigError if one of the files exists."""
    there = [str(path) for path in paths if path.is_file() or path.is_dir()]
    if there:
        more = f" and {len(there) - 1:,} more" if len(there) > 1 else ""
        raise ConfigError(f"{there[0]}{more}: is there already; --replace replaces it")


@contextmanager
def replaced_private(path: Path, encoding: str = "utf-8") -> Iterator[TextIO]:
    """A text file that replaces `path` only when it is complete and on disk.

    Leftovers of a killed program are overwritten. Raises ConfigError if it cannot be written.
    """
    path = path.resolve()  # so that a link stays a link
    part = path.with_name(f".{path.name}.part")
    try:
        make_folder(path.parent)
        with os.fdopen(create_anew(part), "w", encoding=encoding, newline="") as handle:
            keep_owner(handle.fileno(), path)
            yield handle
            handle.flush()
            # Without it a power loss after the rename can leave an empty file in the place of the old one.
            os.fsync(handle.fileno())
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def refuse_unwritable(path: Path) -> None:
    """Raises ConfigError if no file can be written there. Asked before long work."""
    if path.is_dir():
        raise ConfigError(f"{path}: cannot be written: it is a folder")
    try:
        make_folder(path.parent)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
