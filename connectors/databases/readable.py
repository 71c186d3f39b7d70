"""A SQLite file for verbs that only read it.

SQLite in WAL mode writes a -shm file beside the database even for a reader. Where that is not allowed, a
private copy is read instead.
"""

import os
import shutil
import tempfile
from pathlib import Path

_TRIES = 5


class Readable:
    """`path`: the file, or a private copy of it where neither it nor its folder may be written to.

    The copy lasts until `close`. Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        files = _with_side_files(path)
        if path.exists() and not all(os.access(place, os.W_OK) for place in (path.parent, *files)):
            self._folder = tempfile.TemporaryDirectory(prefix="kartra-sync-")
            self.path = _copied(path, Path(self._folder.name))

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()


def _with_side_files(path: Path) -> list[Path]:
    beside = (path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm"))
    return [path, *(file for file in beside if file.exists())]


def _copied(path: Path, folder: Path) -> Path:
    """Copies the file as of one moment: again, if another process wrote to it meanwhile."""
    for _ in range(_TRIES):
        before = _state_of(path)
        for file in _with_side_files(path):
            if not file.name.endswith("-shm"):  # an index of the -wal, which SQLite builds anew
                # A -wal of the try before must not lie beside a database of this one: SQLite would apply it.
                (folder / file.name).unlink(missing_ok=True)
                shutil.copyfile(file, folder / file.name)
                (folder / file.name).chmod(0o600)
        if _state_of(path) == before:
            return folder / path.name
    raise OSError(f"{path}: another process keeps writing to it")


def _state_of(path: Path) -> list[tuple[str, int, int]]:
    found = [(file.name, file.stat()) for file in _with_side_files(path)]
    return [(name, stat.st_mtime_ns, stat.st_size) for name, stat in found if not name.endswith("-shm")]
