"""The small file with the window of one App, in one folder for all users of a host.

Every user of an App has to find the same file: another user, a service with a /tmp of its own, a shell with
another TMPDIR, root. So the folder is fixed and is not the one for temporary files; umask and owner do not
matter, because all may write the file. An existing file is never opened with O_CREAT, which Linux refuses in
a sticky folder even to root. The operating system holds the lock and drops it when a process dies.
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
"""The variable that names another folder, such as one that containers share: each has a /dev/shm of its
own."""
STALE_S = 86_400.0
LOCK_POLL_S = 0.001
"""The lock is held for about 50 µs."""
_MOST_BYTES = 4096
"""All users may write the file, so it may have become anything."""
_PREFIX, _SUFFIX = "kartra-sync-", ".window"


class WindowFile:
    """Bytes that processes change one at a time. Raises OSError if the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes:
        """The bytes, read without the lock; empty if there is no file."""
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
                # A lock on a file that was removed while we waited keeps nobody out.
                if not self._is_still_there(descriptor):
                    continue
                changed = change(os.pread(descriptor, _MOST_BYTES, 0))
                if changed is not None:
                    os.pwrite(descriptor, changed, 0)
                    os.ftruncate(descriptor, len(changed))
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
    """The folder that all users of this host share."""
    if named := os.environ.get(PLACE_VARIABLE):
        return Path(named)
    # systemd gives a service with PrivateTmp a /tmp of its own, but no /dev/shm.
    if sys.platform == "linux" and Path("/dev/shm").is_dir():  # noqa: S108 - all may write it
        return Path("/dev/shm")  # noqa: S108
    return Path("/tmp")  # noqa: S108


def own_folders() -> list[Path]:
    """Folders of this user alone, best first, for when the shared one cannot be used."""
    named = [os.environ.get("XDG_RUNTIME_DIR", ""), os.environ.get("XDG_CACHE_HOME", "")]
    home = os.environ.get("HOME", "")
    folders = [Path(folder) for folder in named if folder] + ([Path(home, ".cache")] if home else [])
    return [*folders, Path(gettempdir())]


def file_in(folder: Path, name: str) -> Path:
    """The file of this name, proven to be usable. Removes stale files of ours.

    Raises OSError.
    """
    path = folder / f"{_PREFIX}{name}{_SUFFIX}"
    WindowFile(path).update(lambda _: None)
    _sweep(folder)
    return path


def _sweep(folder: Path) -> None:
    """Removes files a day old: each sandbox has another port, and so another file."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}*"):
        try:
            seen = path.lstat()
            if seen.st_uid == os.geteuid() and time.time() - seen.st_mtime > STALE_S:
                path.unlink()
        except OSError:
            continue  # another process was faster


def _open(path: Path) -> int:
    """Opens the file, and creates it only if it is missing."""
    while True:
        try:
            # O_NOFOLLOW and O_NONBLOCK: a stranger may have put a link or a pipe there.
            return _regular(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), path)
        except FileNotFoundError:
            _create(path)


def _create(path: Path) -> None:
    """Creates an empty file that all may write, whatever the umask, from the first moment it is visible."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        new.chmod(0o666)
        # open() applies the umask and chmod comes after it: a file under its final name would be refused to
        # others for that moment.
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
