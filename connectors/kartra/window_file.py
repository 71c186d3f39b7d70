"""The small file that holds the window of one App, and where it lies: one place for all users of a host.

Whoever uses an App has to find the same file: another user, a service with a /tmp of its own, a shell with
another TMPDIR, root. So the place is fixed, it is not in the folder of temporary files, and nobody's umask or
ownership counts: the file may be written by all, and is never opened for creation when it is there (Linux
refuses that in a sticky folder, even to root). What locks it is the operating system, which lets go when a
process dies.
"""

import fcntl
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

PLACE_VARIABLE = "KARTRA_SYNC_PACING"
"""Names another folder: one that containers share, say, whose /dev/shm are their own."""
STALE_S = 86_400.0
LOCK_POLL_S = 0.001
"""The lock is held for about 50 µs."""
_MOST_BYTES = 4096
"""The file is anybody's, and may have become anything."""
_PREFIX, _SUFFIX = "kartra-sync-", ".window"


class WindowFile:
    """Bytes that processes change one after the other. Raises OSError where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes:
        """Without the lock: what a glance needs. Empty where there is no file."""
        try:
            with self.path.open("rb") as handle:
                return handle.read(_MOST_BYTES)
        except FileNotFoundError:
            return b""

    def update(self, change: Callable[[bytes], bytes | None], *, within_s: float = 0.25) -> bool:
        """Write what `change` makes of the bytes, unless it is None. False if the lock could not be had."""
        deadline = time.monotonic() + within_s
        while True:
            descriptor = _open(self.path)
            try:
                if not _locked(descriptor, deadline):
                    return False
                if not self._is_still_there(descriptor):
                    continue  # somebody removed it while we waited
                changed = change(os.pread(descriptor, _MOST_BYTES, 0))
                if changed is not None:
                    os.pwrite(descriptor, changed, 0)
                    os.ftruncate(descriptor, len(changed))  # whatever else was there is gone
                return True
            finally:
                os.close(descriptor)

    def _is_still_there(self, descriptor: int) -> bool:
        try:
            named = self.path.lstat()
        except FileNotFoundError:
            return False
        held = os.fstat(descriptor)
        return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)


def shared_folder() -> Path:
    """Where all users of this host look: on Linux a service may have a /tmp of its own, but no /dev/shm."""
    if named := os.environ.get(PLACE_VARIABLE):
        return Path(named)
    if sys.platform == "linux" and Path("/dev/shm").is_dir():  # noqa: S108 - the point is that all may write it
        return Path("/dev/shm")  # noqa: S108
    return Path("/tmp")  # noqa: S108


def own_folders() -> list[Path]:
    """For one user alone, where the shared place cannot be used; the first that can be used counts."""
    named = [os.environ.get("XDG_RUNTIME_DIR", ""), os.environ.get("XDG_CACHE_HOME", "")]
    home = os.environ.get("HOME", "")
    folders = [Path(folder) for folder in named if folder] + ([Path(home, ".cache")] if home else [])
    return [*folders, Path(gettempdir())]


def file_in(folder: Path, name: str) -> Path:
    """The file of this name, proven to be usable; those of ours that nobody needs any more are removed.

    Raises OSError.
    """
    path = folder / f"{_PREFIX}{name}{_SUFFIX}"
    WindowFile(path).update(lambda _: None)
    _sweep(folder)
    return path


def _sweep(folder: Path) -> None:
    """A sandbox has another port each time: what is a day old is of no use to anybody."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}*"):
        try:
            seen = path.lstat()
            if seen.st_uid == os.geteuid() and time.time() - seen.st_mtime > STALE_S:
                path.unlink()
        except OSError:
            continue  # another process was faster


def _open(path: Path) -> int:
    """Never with O_CREAT where the file is there: that is refused in a sticky folder to all but its owner."""
    while True:
        try:
            return _regular(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), path)
        except FileNotFoundError:
            _create(path)


def _create(path: Path) -> None:
    """An empty file that all may write, whatever the umask, from the first moment that anybody sees it."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        new.chmod(0o666)
        path.hardlink_to(new)
    except FileExistsError:
        pass  # another process was faster
    finally:
        new.unlink()


def _regular(descriptor: int, path: Path) -> int:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(f"{path} is not a file")


def _locked(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOCK_POLL_S)
        else:
            return True
