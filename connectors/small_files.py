"""Small files that say what to do: pipeline files, .env, statements, hooks. Read whole, and never waited for.

A pipe, a device or a socket in the place of one would hang whoever opens it, or never end.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path


class OtherThanSmallFileError(Exception):
    """What is there is no file of that size. The message says what it is: "a pipe, not a file"."""


@dataclass(frozen=True, slots=True)
class SmallFile:
    """`mode` and `owner` are those of the very file that was read."""

    content: bytes
    mode: int
    owner: int

    @property
    def others_may_write(self) -> bool:
        return bool(self.mode & stat.S_IWOTH)

    @property
    def others_may_read(self) -> bool:
        return bool(self.mode & (stat.S_IROTH | stat.S_IRGRP | stat.S_IWGRP))

    @property
    def is_of_somebody_else(self) -> bool:
        """Neither of this user nor of root, who may do anything anyway. Root reads the files of all."""
        return os.geteuid() not in (0, self.owner) and self.owner != 0


_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


def read_small(path: Path, *, at_most: int) -> SmallFile:
    """Raises OSError, and OtherThanSmallFileError for anything but a regular file of `at_most` bytes."""
    # Without NONBLOCK a pipe is waited for as soon as it is opened.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            kind = next((words for is_it, words in _KINDS if is_it(found.st_mode)), "something else")
            raise OtherThanSmallFileError(f"{kind}, not a file")
        with os.fdopen(descriptor, "rb", closefd=False) as handle:
            # One byte more than is allowed shows that it is too large, even if it is growing just now.
            content = handle.read(at_most + 1)
    finally:
        os.close(descriptor)
    if len(content) > at_most:
        raise OtherThanSmallFileError(f"more than {at_most // 1024:,} kB, so it is not read")
    return SmallFile(content, found.st_mode, found.st_uid)
