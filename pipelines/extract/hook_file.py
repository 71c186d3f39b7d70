"""The Python file of a `transform:`: whose it is, what it says, and whether it ran here before.

It is code that runs with the rights of this user. So it lies in the folder of its pipeline, nobody else may
write it, what runs is what was read (no compiled copy beside it), and `check` shows it before it ever ran and
after each change. A job without a terminal runs a file that was never seen here, because a new container has
seen nothing; one that has changed it refuses like everybody.
"""

import ast
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from connectors.errors import ConfigError
from connectors.small_files import OtherThanSmallFileError, SmallFile, read_small
from pipelines.config.load import TransformConfig

log = logging.getLogger("kartra_sync.transform")

MAX_BYTES = 1024 * 1024
SHOWN_DIGITS = 16


@dataclass(frozen=True, slots=True)
class HookFile:
    """`before` is the hash of what ran, or was shown, under this name before; "" where nothing did."""

    config: TransformConfig
    content: bytes = field(repr=False)
    before: str

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()

    @property
    def is_new(self) -> bool:
        return not self.before

    @property
    def has_changed(self) -> bool:
        return bool(self.before) and self.before != self.sha256

    @property
    def told(self) -> str:
        lines = self.content.count(b"\n") + (not self.content.endswith(b"\n"))
        uses = ", ".join(_imported(self.content)) or "nothing"
        return (
            f"runs code of this folder: {self.config.file.name}, function {self.config.function},"
            f" {lines:,} lines, imports {uses}, sha256 {self.sha256[:SHOWN_DIGITS]}"
        )

    def remember(self) -> bool:
        """False where nothing can be kept: it is new the next time, too."""
        return _keep(self.config.file, self.sha256)

    def admit(self) -> None:
        """Before it runs. Raises ConfigError for code that `check` has to show first."""
        name = self.config.file.name
        if self.has_changed:
            raise ConfigError(
                f"load.transform: {name} has changed since it was shown or ran last"
                f" (sha256 {self.sha256[:SHOWN_DIGITS]}), and it runs as you:"
                " `kartra-sync check` shows it, and lets it run from then on"
            )
        if not self.is_new:
            return
        # Only where somebody is there to look, and where the look can be remembered: a nightly run on a new
        # machine would otherwise stop for good.
        if _is_at_terminal() and _can_keep():
            raise ConfigError(
                f"load.transform: {name} never ran here, and it runs as you:"
                " `kartra-sync check` shows it, and lets it run from then on"
            )
        log.info("%s runs here for the first time: %s", name, self.told)
        self.remember()


def _is_at_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def read_hook_file(config: TransformConfig) -> HookFile:
    """Nothing of it is run. Raises ConfigError for a file that is not there, or that is not to be trusted."""
    name, folder = config.file.name, config.file.parent
    try:
        file = read_small(config.file, at_most=MAX_BYTES)
    except OtherThanSmallFileError as error:
        raise ConfigError(f"load.transform: {name} is {error}") from None
    except FileNotFoundError:
        raise ConfigError(f"load.transform: there is no {name} in {folder}") from None
    except OSError as error:
        raise ConfigError(f"load.transform: {name} cannot be read: {error.strerror}") from error
    _refuse_foreign(config.file, file)
    return HookFile(config, file.content, _kept().get(_key(config.file), ""))


def _refuse_foreign(path: Path, file: SmallFile) -> None:
    if path.resolve().parent != path.parent.resolve():
        raise ConfigError(
            f"load.transform: {path.name} is a link out of the folder of the pipeline: only code that lies"
            " there is run. Copy it there"
        )
    if file.others_may_write:
        raise ConfigError(
            f"load.transform: everybody on this machine may write {path.name}, and it is run as you:"
            f" chmod 644 {path.name}"
        )
    if file.is_of_somebody_else:
        raise ConfigError(
            f"load.transform: {path.name} belongs to another user of this machine, and would be run as you:"
            " make it yours (chown) once you have read it"
        )


def own_modules(file: Path) -> Iterator[Path]:
    """The file and the modules of its folder that it imports, and that those import; read and not run.

    A module that is imported by a name which is made while it runs is not found.
    """
    found: dict[Path, None] = {file: None}
    unread = [file]
    while unread:
        for name in _imported(unread.pop().read_bytes()):
            place = file.parent / name.partition(".")[0]
            # Of a package all modules: which of them it imports itself is its own affair.
            beside = [place.with_suffix(".py"), *sorted(place.rglob("*.py"))]
            new = [path for path in beside if path not in found and path.is_file()]
            found |= dict.fromkeys(new)
            unread += new
    yield from sorted(found)


def _imported(content: bytes) -> Iterator[str]:
    """The modules that it names at its imports, read and not run."""
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        found: dict[str, None] = {}
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Import):
                found |= dict.fromkeys(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found[node.module or "."] = None
        yield from sorted(found)


# --- what ran before


def _place() -> Path | None:
    """The user's own, and not the folder of the pipeline: who brings a file would bring its mark along."""
    named = os.environ.get("XDG_STATE_HOME") or (f"{home}/.local/state" if (home := _home()) else "")
    return Path(named, "kartra-sync", "transforms") if named.startswith("/") else None


def _can_keep() -> bool:
    place = _place()
    if place is None:
        return False
    there = next(one for one in (place, *place.parents) if one.exists())
    return os.access(there, os.W_OK)


def _home() -> str:
    return os.environ.get("HOME", "")


def _key(path: Path) -> str:
    return sha256(os.fsencode(path.resolve())).hexdigest()


def _kept() -> dict[str, str]:
    place = _place()
    try:
        text = read_small(place, at_most=MAX_BYTES).content.decode("ascii", "replace") if place else ""
    except (OSError, OtherThanSmallFileError):
        return {}
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _keep(path: Path, digest: str) -> bool:
    """A line more; the last one of a path counts."""
    place = _place()
    if place is None:
        return False
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Appended in one write, so that two runs at a time leave whole lines; neither through a link nor into
        # a pipe that somebody has put in its place.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(place, flags, 0o600)
        try:
            os.write(descriptor, f"{_key(path)} {digest}\n".encode())
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return True
