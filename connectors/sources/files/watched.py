"""Files on disk: a missing one gets a helpful message, and one that changes while it is read is refused."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import SourceError, SyncError


@dataclass(frozen=True, slots=True)
class WatchedFile:
    """A file as it was found. `version` changes if it is written to or replaced."""

    path: Path
    version: tuple[int, ...]

    def refuse_change(self) -> None:
        """Raises SourceError if the file was changed or replaced meanwhile."""
        try:
            changed = _version(self.path) != self.version
        except OSError as error:
            raise self.changed() from error
        if changed:
            raise self.changed()

    def changed(self) -> SourceError:
        return SourceError(f"{self.path.name} changed while it was read. Run again when it is complete")

    @contextmanager
    def read_as(self, kind: str) -> Iterator[None]:
        """Turns whatever a library raises for a damaged file into a SourceError; `kind` is "an Excel
        workbook", say."""
        try:
            yield
        except SyncError:
            raise
        except MemoryError as error:
            raise SourceError(f"{self.path.name} does not fit into the memory") from error
        # Parsers of binary formats raise almost anything for a damaged file: KeyError, struct.error, their
        # own.
        except Exception as error:
            if isinstance(error, OSError) and error.strerror:
                raise self.unreadable(error) from error
            raise SourceError(f"{self.path.name} is not {kind}, or a damaged one") from error

    def unreadable(self, error: OSError) -> SourceError:
        return SourceError(f"{self.path.name} cannot be read: {error.strerror or type(error).__name__}")


def watched(path: Path) -> WatchedFile:
    """The file. Raises SourceError if there is none, with the nearest names."""
    _refuse_other_than_file(path)
    try:
        return WatchedFile(path, _version(path))
    except OSError as error:
        raise WatchedFile(path, ()).unreadable(error) from error


def _refuse_other_than_file(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise SourceError(f"{path.name} is a folder, not a file")
    if path.exists():
        raise SourceError(f"{path.name} is not a regular file and cannot be read twice")
    if not path.parent.is_dir():
        raise SourceError(f"{path.name} was not found: there is no folder {path.parent}")
    near = _near_names(path)
    hint = f". Near it: {', '.join(near)}" if near else ""
    raise SourceError(f"{path.name} was not found in {path.parent}{hint}")


def _near_names(path: Path) -> list[str]:
    try:
        by_lower = {entry.name.lower(): entry.name for entry in path.parent.iterdir() if entry.is_file()}
    except OSError:
        return []
    return [by_lower[name] for name in difflib.get_close_matches(path.name.lower(), sorted(by_lower))]


def _version(path: Path) -> tuple[int, ...]:
    stat = path.stat()
    # Size and seconds alone would miss a file that is replaced by its corrected copy within the same second.
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
