"""Files and folders that hold people's data: their owner's alone, whatever the umask is."""

import os
import stat
from contextlib import suppress
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
_OTHERS = stat.S_IRWXO


def make_folder(path: Path) -> None:
    """The folder and those above it that are missing, each closed to everybody else. Raises OSError."""
    # Not mkdir(parents=True), which gives its mode to the last folder alone.
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def close_to_the_world(path: Path) -> None:
    """A file that everybody may read becomes its owner's alone; one that is shared with a group stays so.

    Where it is another user's, it is theirs to close.
    """
    with suppress(OSError):
        if stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            path.chmod(PRIVATE_FILE)


def create_anew(path: Path) -> int:
    """A descriptor of an empty file of its own, in the place of what a killed program left. Raises OSError.

    Whoever had that open before, or had put a link in its place, sees nothing of what is written.
    """
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE_FILE)


def keep_owner(descriptor: int, replaced: Path) -> None:
    """What root writes in the place of somebody's file stays theirs."""
    if os.geteuid() == 0 and replaced.exists():
        was = replaced.stat()
        os.fchown(descriptor, was.st_uid, was.st_gid)


def write_text(path: Path, text: str) -> None:
    """A file without people's data, which only its owner writes, and others may read as the umask says.

    Raises OSError.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
