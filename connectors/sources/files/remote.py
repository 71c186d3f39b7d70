"""Files behind URLs, and whatever arrives on standard input: fetched into a folder within bounds of size and
time. A source that trickles, or never ends, ends here."""

import importlib.util
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from connectors.errors import ConfigError, SourceError
from connectors.sources.files.private_folder import PrivateFolder
from connectors.sources.files.url_kinds import BY_HTTP, PACKAGES, fault_of_url, kind_of, name_of

MAX_BYTES = 4 * 1024**3
"""Of all that one source is fetched or unpacked to: no list of contacts is as large."""
KEPT_FREE_BYTES = 256 * 1024**2
"""The disk has other users."""
_BLOCK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """`window_s` is how long fewer than `least_bytes` may come; all of it takes `total_s` at most."""

    window_s: float = 60.0
    least_bytes: int = 32 * 1024
    total_s: float = 3600.0


_CLIENTS = {"http": "http", "sftp": "sftp"}
"""The module that reads a kind of URL; the other kinds are the file systems of fsspec."""


class Room:
    """What may still be written into a folder. One for a source: all of its files count together."""

    def __init__(self, folder: PrivateFolder) -> None:
        self._folder = folder
        self._written = 0

    def take(self, size: int, name: str) -> None:
        """Before so many bytes are written. Raises SourceError."""
        self._written += size
        if self._written > MAX_BYTES:
            raise SourceError(f"{name} is more than {MAX_BYTES:,} bytes, so it is no list of contacts")
        if shutil.disk_usage(self._folder.path).free < KEPT_FREE_BYTES + size:
            raise SourceError(f"{name} finds no room: the disk with {self._folder.path.parent} is full")


def fetched(url: str, folder: Path, room: Room, patience: Patience | None = None) -> Path:
    """The file behind a URL, whole. Raises ConfigError, SourceError."""
    if fault := fault_of_url(url):
        raise ConfigError(f"{name_of(url)}: {fault}")
    name = name_of(url)
    kind = kind_of(url)
    if kind not in BY_HTTP and importlib.util.find_spec(PACKAGES[kind]) is None:
        raise ConfigError(f"{name}: {kind}:// needs a library: pip install {PACKAGES[kind]}")
    target = folder / name
    _Fetching(url, name, target, room, patience or Patience()).run()
    return target


class _Fetching:
    """In a thread of its own, because some of what it waits for, a name server say, knows no time limit."""

    def __init__(self, url: str, name: str, target: Path, room: Room, patience: Patience) -> None:
        self._url, self._name, self._target, self._room = url, name, target, room
        self._patience = patience
        self._received = 0
        self._error: BaseException | None = None
        self._given_up = threading.Event()
        self._done = threading.Event()

    def run(self) -> None:
        # A daemon: what never answers must not keep the program alive at its end.
        threading.Thread(target=self._work, name="fetch", daemon=True).start()
        started = since = time.monotonic()
        before = 0
        try:
            while not self._done.wait(min(0.2, self._patience.window_s)):
                now = time.monotonic()
                if now - started > self._patience.total_s:
                    raise self._too_slow(f"not all of it came within {self._patience.total_s:g} s")
                if now - since < self._patience.window_s:
                    continue
                if self._received - before < self._patience.least_bytes:
                    raise self._too_slow(f"next to nothing came for {self._patience.window_s:g} s")
                since, before = now, self._received
        finally:
            self._given_up.set()
        if self._error is not None:
            raise self._error

    def _too_slow(self, why: str) -> SourceError:
        host = urlsplit(self._url).hostname or "its place"
        return SourceError(f"{self._name} cannot be fetched from {host}: {why}. Try again later")

    def _work(self) -> None:
        try:
            with self._target.open("wb") as target:
                for block in _blocks(self._url, self._name, self._given_up.is_set):
                    self._received += len(block)
                    self._room.take(len(block), self._name)
                    target.write(block)
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for it
            self._error = error
        finally:
            self._done.set()


def _blocks(url: str, name: str, stop: Callable[[], bool]) -> Iterator[bytes]:
    kind = "http" if kind_of(url) in BY_HTTP else kind_of(url)
    # Each client loads a library that takes a tenth of a second or more, and paramiko may not be installed.
    client = import_module(f"connectors.sources.files.{_CLIENTS.get(kind, 'filesystems')}")
    blocks: Iterator[bytes] = client.blocks_of(url, name, stop)
    return blocks


def taken_in(stream: BinaryIO, target: Path, room: Room) -> None:
    """All that comes on standard input. Raises SourceError."""
    with target.open("wb") as handle:
        while block := stream.read(_BLOCK_BYTES):
            room.take(len(block), "standard input")
            handle.write(block)
