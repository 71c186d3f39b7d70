"""The file that holds the state: where it may lie, and copies of it. What stands in it, the store knows."""

import glob
import os
import tempfile
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import psutil

from connectors.clock import utc_now
from connectors.own_files import make_folder
from pipelines.errors import StateError, StateOutOfReachError
from pipelines.state.sqlite import copy_into

NETWORK = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "smbnetfs", "afpfs", "afs", "ncpfs"),
        *("ceph", "ceph-fuse", "glusterfs", "lustre", "beegfs", "gpfs", "orangefs", "moosefs", "mfs"),
        *("davfs", "davfs2", "webdav", "sshfs", "curlftpfs", "gvfsd-fuse", "juicefs", "seaweedfs", "coda"),
        *("rclone", "s3fs", "goofys", "mount-s3", "gcsfuse", "blobfuse", "blobfuse2"),
    }
)
"""Types of file systems whose files other hosts write too. WAL needs memory that all its users share:
https://sqlite.org/wal.html. 9p and virtiofs are not among them: they are how virtual machines and
containers see a folder of their own host, and where they cannot share memory SQLite says so itself."""

PART = ".part"
"""How the name of a copy ends that is being written, or was when its program was killed."""


def network_file_system(path: Path, mounts: Iterable[tuple[str, str]]) -> str | None:
    """The type of the network file system that an absolute path lies on; None for any other.

    `mounts` are (mount point, type) in the order of mounting: of two at one place the later one counts.
    """
    depth, found, within = 0, "", f"{path}/"
    for mount_point, kind in mounts:
        folder = mount_point.rstrip("/") + "/"
        if len(folder) >= depth and within.startswith(folder):
            depth, found = len(folder), kind
    return found if found.lower().removeprefix("fuse.") in NETWORK else None


def refuse_network(path: Path) -> None:
    """Raises StateError where the path lies on a network file system. What cannot be told is allowed."""
    try:
        mounts = [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
        kind = network_file_system(path.resolve(), mounts)
    except (OSError, RuntimeError, psutil.Error):  # no /proc; links in a circle
        return
    if kind is not None:
        raise StateError(
            f"{path}: cannot be used as state: it lies on a network file system ({kind}), where SQLite"
            " cannot keep it whole; put `state:` on a local disk"
        )


def create_private(path: Path) -> None:
    """The file, readable by its owner alone from the start; SQLite gives its side files the same mode."""
    try:
        make_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StateOutOfReachError(f"{path}: cannot be used as state: {error.strerror}") from error


def copy_state(state: Path, target: Path, *, numbered: bool = False) -> Path:
    """A copy as of one moment, while others write; readable by its owner alone, on disk when this returns.

    It is there whole or not at all, and nothing is overwritten: where the name is taken, `numbered` puts
    -2, -3 … behind it. What was deleted in the state is not in the copy, not even as free space. Raises
    StateError.
    """
    part = None
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.", suffix=PART)
        os.close(descriptor)
        part = Path(name)
        copy_into(state, part, target, at=utc_now().isoformat())
        _flush(part)
        target = _reserve(target, numbered=numbered)
        part.replace(target)
        _flush(target.parent)
    except FileExistsError:
        raise StateError(f"{target}: is there already, and nothing is overwritten") from None
    except OSError as error:
        raise StateError(f"{target}: the state cannot be copied there: {error.strerror}") from error
    finally:
        if part is not None:
            for left in (part, part.with_name(f"{part.name}-journal")):
                left.unlink(missing_ok=True)
    return target


def _reserve(target: Path, *, numbered: bool) -> Path:
    """An empty file under the first of its names that is free. Raises FileExistsError, OSError."""
    name = target
    for number in count(2):
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            if not numbered:
                raise
            name = target.with_name(f"{target.name}-{number}")
        else:
            break
    return name


def backups_beside(state: Path) -> list[Path]:
    """Copies of the state in its own folder, by the names this program gives them; cut off ones too."""
    found = state.parent.glob(f"{glob.escape(state.name)}.*backup*")
    return sorted(file for file in found if file.is_file())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
