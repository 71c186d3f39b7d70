"""Hashes a record by the columns that the mapping reads: records with equal hashes map to equal leads.

The byte form, version 1: the cells in UTF-8 in the order of `Fingerprint.columns`, with a NUL in between; no
cell holds one, because such a record is refused. The hash is BLAKE2b of 16 bytes, personalised with VERSION
and salted with the fingerprint. So hashes agree only if cells, mapping and code do. After a change of any of
them the kept hashes match nothing, which costs time but does no harm.

The fingerprint covers everything a mapping depends on beside the record: the columns, the load section
without the keys that only say where records come from and what stops a run, the code and libraries that map,
and the people who asked to be forgotten.
"""

import json
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.sources.names import unique_names
from pipelines.config.load import LoadConfig
from pipelines.contacts.forgotten import Forgotten
from pipelines.contacts.mapping import read_columns

VERSION = b"kartra-sync raw1"
HASH_BYTES = 16
# With it a record has more NULs than stand between its cells, so that no other one is like it.
_MARK = b"\0\0"

NOT_MAPPED = frozenset(
    {"source", "only", "guards", "canary", "suppress", "examples", "on_removed", "on_drift"}
)
"""Keys of the load section that do not change what a record maps to."""
MAPPING_ROOMS = ("config", "contacts", "words")
"""The rooms of `pipelines` that the mapping imports: a test asks that it imports no others."""
# pandas and pyarrow are not among them: they move cells and decide nothing.
LIBRARIES = ("babel", "email-validator", "idna", "nameparser", "phonenumbers", "python-dateutil")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The conditions under which a hash was made; `columns` are those that are read."""

    columns: tuple[str, ...]
    digest: bytes


def fingerprint(load: LoadConfig, columns: tuple[str, ...], forgotten: Forgotten | None) -> Fingerprint:
    """The fingerprint of a mapping for a source with these columns."""
    read = tuple(sorted(read_columns(load, columns).intersection(unique_names(columns))))
    section = load.model_dump_json(exclude=set(NOT_MAPPED))
    everyone = sorted(forgotten.hashes) if forgotten else []
    parts = [json.dumps(read), section, *emptied(load), code_digest(), *(one.hex() for one in everyone)]
    return Fingerprint(read, blake2b("\n".join(parts).encode(), digest_size=16).digest())


def emptied(load: LoadConfig) -> list[str]:
    """Names of which the file wants none, which is not the same as not speaking of them."""
    return [
        f"no {key}" for key in ("tags", "lists") if key in load.model_fields_set and not getattr(load, key)
    ]


class Gathered:
    """A digest of records and names in whatever order they come, and of how often each."""

    def __init__(self) -> None:
        self._sum = np.zeros(2, dtype="<u8")

    def add(self, hashes: bytes) -> None:
        """Of 16 bytes each, one behind the other."""
        # A sum and not an XOR, in which two equal records would cancel each other out.
        with np.errstate(over="ignore"):
            self._sum += np.frombuffer(hashes, dtype="<u8").reshape(-1, 2).sum(axis=0, dtype="<u8")

    def add_names(self, names: Iterable[str]) -> None:
        self.add(b"".join(blake2b(name.encode(), digest_size=HASH_BYTES).digest() for name in names))

    def digest(self) -> bytes:
        return self._sum.tobytes()


def raw_hashes(frame: pd.DataFrame, under: Fingerprint, marked: npt.NDArray[np.bool_] | None = None) -> bytes:
    """The hashes of all records of a chunk, concatenated.

    `marked` records opt out in a column that the mapping does not read. Their hashes differ, so that an
    opting out counts as a change.
    """
    start = blake2b(digest_size=HASH_BYTES, salt=under.digest, person=VERSION)
    hashes = []
    records = _joined(frame, under.columns)
    for place in () if marked is None else np.flatnonzero(marked).tolist():
        records[place] += _MARK
    for record in records:
        one = start.copy()
        one.update(record)
        hashes.append(one.digest())
    return b"".join(hashes)


def _joined(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[bytes]:
    if not columns:
        return [b""] * len(frame)
    try:
        cells = [pa.array(frame[column], type=pa.string()).cast(pa.binary()) for column in columns]
    except UnicodeEncodeError:  # a lone surrogate, which JSON can hold and UTF-8 cannot
        texts = zip(*(frame[column] for column in columns), strict=True)
        return ["\0".join(record).encode("utf-8", "surrogatepass") for record in texts]
    joined: list[bytes] = pc.binary_join_element_wise(*cells, b"\0").to_pylist()
    return joined


@cache
def code_digest() -> str:
    """A text that changes with every module and library that maps."""
    code = blake2b(digest_size=16)
    for module in mapping_modules():
        code.update(module.name.encode() + b"\0" + module.read_bytes() + b"\0")
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    return "\n".join([code.hexdigest(), f"Unicode {unicodedata.unidata_version}", *libraries])


def mapping_modules() -> Iterator[Path]:
    """Our modules that can change what a record maps to, in a fixed order."""
    rooms = Path(__file__).parents[1]
    for room in MAPPING_ROOMS:
        yield from sorted((rooms / room).rglob("*.py"))
    yield rooms.parent / "connectors" / "unseen.py"  # which characters are no part of a cell
