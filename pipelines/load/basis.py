"""What a plan is made from, as hashes, and which of it is another one by now."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.fingerprint import HASH_BYTES as GATHERED_BYTES
from pipelines.contacts.fingerprint import NOT_MAPPED, code_digest
from pipelines.contacts.forgotten import Forgotten
from pipelines.extract.hook_file import own_modules
from pipelines.summary import Counts

HASH_BYTES = 8
KEYS_TOLD = 5
_SECRET = ("app_id", "api_key", "api_password", "url")
_READ = (".sql", ".py")
"""Files that are part of what is asked: their text counts, not where they are. Of Python also the modules
beside it that it imports."""


class Part(StrEnum):
    """What can move under a plan."""

    FILE = "file"
    MAPPING = "mapping"
    SOURCE = "source"
    STATE = "state"
    ACCOUNT = "account"
    MODE = "mode"
    AGE = "age"


@dataclass(frozen=True, slots=True)
class Basis:
    """By dotted key of the pipeline file a hash of its value; and hashes of what else counts."""

    text: str
    keys: Mapping[str, str]
    program: str
    forgotten: str
    suppressed: str
    source: str

    def to_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "keys": dict(self.keys),
            "program": self.program,
            "forgotten": self.forgotten,
            "suppressed": self.suppressed,
            "source": self.source,
        }


def basis_of(config: PipelineConfig, counts: Counts, source: bytes, forgotten: Forgotten | None) -> Basis:
    """`source` is the digest of what was read, as `stage` gives it, `counts` what came of it."""
    rows = (counts.read, counts.invalid, counts.duplicate, counts.blocked, counts.not_chosen)
    everyone = sorted(forgotten.hashes) if forgotten else []
    return Basis(
        text=_hash(config.path.read_bytes()),
        keys=dict(_keys(config)),
        program=_hash(f"{version('kartra-sync')} {code_digest()}".encode()),
        forgotten=_hash(b"".join(everyone)),
        suppressed=_hash(source[:GATHERED_BYTES]),
        source=_hash(source + repr(rows).encode()),
    )


def moved(saved: Mapping[str, Any], now: Basis) -> Iterator[tuple[Part, str]]:
    """Which parts are not as they were, in words; of the source nothing where the mapping moved."""
    changed = sorted(
        key for key in saved["keys"].keys() | now.keys.keys() if saved["keys"].get(key) != now.keys.get(key)
    )
    mapping = [key for key in changed if _is_mapping(key)]
    others = [key for key in changed if not _is_mapping(key)]
    if mapping or saved["program"] != now.program:
        yield Part.MAPPING, f"{_told(mapping)} changed" if mapping else "kartra-sync is another version"
    if others or (saved["text"] != now.text and not mapping):
        what = _told(others) if others else "its text, though no value,"
        yield Part.FILE, f"{what} changed"
    if saved["forgotten"] != now.forgotten:
        yield Part.STATE, "a person was forgotten"
    # Plans of versions before have no such hash, and count these addresses among what was read.
    elif saved.get("suppressed", now.suppressed) != now.suppressed and not mapping:
        yield Part.SOURCE, "the addresses that load.suppress names are others"
    elif saved["source"] != now.source and not mapping and saved["program"] == now.program:
        yield Part.SOURCE, "its records are not those that the plan was made from"


def _is_mapping(key: str) -> bool:
    section, _, name = key.partition(".")
    return section == "load" and name.partition(".")[0] not in NOT_MAPPED


def _told(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - KEYS_TOLD} more" if len(keys) > KEYS_TOLD else ""
    return ", ".join(keys[:KEYS_TOLD]) + more


def _keys(config: PipelineConfig) -> Iterator[tuple[str, str]]:
    """What decides of a load; the account is told by what it is, not by how it is reached."""
    folder = config.path.absolute().parent
    for name, value in config.kartra:
        # The mode is asked apart, and told in words of its own (`Part.MODE`).
        if name not in _SECRET and name != "mode":
            yield f"kartra.{name}", _hash_of(value, folder)
    load: LoadConfig = config.needs_load()
    for name, value in load:
        if isinstance(value, Mapping):
            for inner, one in value.items():
                yield f"load.{name}.{inner}", _hash_of(one, folder)
        else:
            yield f"load.{name}", _hash_of(value, folder)


def _hash_of(value: object, folder: Path) -> str:
    return _hash(json.dumps(_plain(value, folder), sort_keys=True, ensure_ascii=False).encode())


def _plain(value: object, folder: Path) -> Any:
    """Without where the files stand on this machine, and without passwords."""
    match value:
        case BaseModel():
            return {
                name: _address(one) if name == "url" and isinstance(one, str) else _plain(one, folder)
                for name, one in value
            }
        case Mapping():
            return {str(name): _plain(one, folder) for name, one in value.items()}
        case frozenset() | set():
            # A set has another order in each process, and its hash must not.
            return sorted(json.dumps(_plain(one, folder), sort_keys=True) for one in value)
        case list() | tuple():
            return [_plain(one, folder) for one in value]
        case Path():
            return _file(value, folder)
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _address(url: str) -> str:
    """Without user and password, which may be renewed."""
    return url.rpartition("@")[2]


def _file(path: Path, folder: Path) -> Any:
    if path.suffix in _READ and path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix != ".py":
            return text
        helpers = {
            os.path.relpath(one, folder): _hash(one.read_bytes()) for one in own_modules(path) if one != path
        }
        return [text, helpers] if helpers else text
    return os.path.relpath(path, folder)


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=HASH_BYTES).hexdigest()
