"""The last number that was seen of a state, kept outside of its file.

In two places, of which each may be lost or out of reach: an attribute of the folder that the state lies in,
which no copy of the file brings back, and a small file of the user, which no copy of the folder does. Neither
holds more than a random name and a number. What cannot be written or read there is nothing that was seen.
"""

import os
from contextlib import suppress
from pathlib import Path

_ATTRIBUTE = "user.kartra-sync."
_MOST_BYTES = 32


class Seen:
    """What was seen of the states of one path."""

    def __init__(self, path: Path | None, *, on_server: bool = False) -> None:
        """A state in memory (None) is never seen; of one on a server the user's file alone knows."""
        self._is_kept = path is not None or on_server
        self._folder = path.resolve().parent if path is not None else None

    def last(self, state_id: str) -> int:
        """The highest number of a state; 0 where nothing is known of it."""
        if not self._is_kept:
            return 0
        return max(_number(self._in_attribute(state_id)), _number(_in_file(state_id)))

    def note(self, state_id: str, number: int) -> None:
        """A number that is committed in the state."""
        if not self._is_kept:
            return
        text = str(number).encode()
        # Without a folder, and on a system or file system without attributes, there is none.
        with suppress(OSError, AttributeError):
            os.setxattr(self._folder or "", _ATTRIBUTE + state_id, text)
        with suppress(OSError):
            _write(state_id, text)

    def _in_attribute(self, state_id: str) -> bytes:
        with suppress(OSError, AttributeError):
            return bytes(os.getxattr(self._folder or "", _ATTRIBUTE + state_id))
        return b""


def _in_file(state_id: str) -> bytes:
    file = _file(state_id)
    with suppress(OSError):
        if file is not None:
            with file.open("rb") as handle:
                return handle.read(_MOST_BYTES)
    return b""


def _write(state_id: str, text: bytes) -> None:
    """Whole or not at all; where two runs write at once, either is right within seconds."""
    file = _file(state_id)
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)
    part.replace(file)


def _file(state_id: str) -> Path | None:
    named, home = os.environ.get("XDG_STATE_HOME", ""), os.environ.get("HOME", "")
    folder = Path(named) if named else Path(home, ".local", "state") if home else None
    if folder is None or not folder.is_absolute() or not (named or Path(home).is_dir()):
        return None
    return folder / "kartra-sync" / state_id


def _number(text: bytes) -> int:
    digits = text.strip()
    return int(digits) if digits.isdigit() and len(digits) < _MOST_BYTES else 0
