"""What a record says in the columns that the mapping reads, as one hash: the same hash maps to the same lead.

The byte form, version 1: the cells in UTF-8 in the order of `Fingerprint.columns`, a NUL between two; a cell
holds none, because a record with one is no record. Over it BLAKE2b of 16 bytes, personalised with VERSION and
salted with the fingerprint. So two hashes are equal where a cell, the mapping and its code are, and other
versions of any of them agree on none: what was kept is then of no use, and no harm.

The fingerprint is made of everything that a mapping depends on beside the record: the columns, the load
section but what only says where records come from and what stops a run, the code and the libraries that map,
and who asked to be forgotten.
"""

import json
import unicodedata
from collections.abc import Iterator
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
_MARK = b"\0\0"

NOT_MAPPED = frozenset({"source", "only", "guards", "suppress", "examples", "on_removed", "on_drift"})
"""Keys of the load section that make no difference to what a record maps to."""
MAPPING_ROOMS = ("config", "contacts", "words")
"""The rooms of `pipelines` that the mapping imports: a test asks that it imports no others."""
LIBRARIES = ("babel", "email-validator", "idna", "nameparser", "phonenumbers", "python-dateutil")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Under what a hash was made; `columns` are those that are read."""

    columns: tuple[str, ...]
    digest: bytes


def fingerprint(load: LoadConfig, columns: tuple[str, ...], forgotten: Forgotten | None) -> Fingerprint:
    """`columns` are those of the source."""
    read = tuple(sorted(read_columns(load, columns).intersection(unique_names(columns))))
    section = load.model_dump_json(exclude=set(NOT_MAPPED))
    everyone = sorted(forgotten.hashes) if forgotten else []
    parts = [json.dumps(read), section, _code(), *(one.hex() for one in everyone)]
    return Fingerprint(read, blake2b("\n".join(parts).encode(), digest_size=16).digest())


def raw_hashes(frame: pd.DataFrame, under: Fingerprint, marked: npt.NDArray[np.bool_] | None = None) -> bytes:
    """The hashes of all records of a chunk, one behind the other.

    `marked` records say something in a column that is not read: they have other hashes than without it.
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
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON may hold and UTF-8 may not
        texts = zip(*(frame[column] for column in columns), strict=True)
        return ["\0".join(record).encode("utf-8", "surrogatepass") for record in texts]
    joined: list[bytes] = pc.binary_join_element_wise(*cells, b"\0").to_pylist()
    return joined


@cache
def _code() -> str:
    """The modules and libraries that map: another version of any of them may map differently."""
    code = blake2b(digest_size=16)
    for module in mapping_modules():
        code.update(module.name.encode() + b"\0" + module.read_bytes() + b"\0")
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    return "\n".join([code.hexdigest(), f"Unicode {unicodedata.unidata_version}", *libraries])


def mapping_modules() -> Iterator[Path]:
    """The modules of ours that can change what a record maps to, in a fixed order."""
    rooms = Path(__file__).parents[1]
    for room in MAPPING_ROOMS:
        yield from sorted((rooms / room).rglob("*.py"))
