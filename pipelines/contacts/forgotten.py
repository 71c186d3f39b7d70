"""Who asked to be forgotten, as salted hashes: enough to know such a person again, not to name one. Pure."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from pipelines.contacts.addresses import addresses_in
from pipelines.contacts.normalise import normal_cell

REASON = "forgotten on request"
SALT_BYTES = 32
HASH_BYTES = 16

_ADDRESS = re.compile(r"[^\s@<>\"(),;:\[\]]+@[^\s@<>\"'(),;:\[\]]+")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The people forgotten in one state file, by the hashes of their keys and addresses."""

    salt: bytes
    hashes: frozenset[bytes]

    def holds(self, *names: str) -> bool:
        return any(hash_name(self.salt, name) in self.hashes for name in names)

    def holds_one_of(self, cells: Iterable[str]) -> bool:
        """Whether a record with these cells may be one of theirs: a cell, or an address in one."""
        return self.holds(*names_in(cells))


def hash_name(salt: bytes, name: str) -> bytes:
    """BLAKE2b, keyed with the salt of the state file, of a key or an address in its normal form."""
    return blake2b(name.encode(), key=salt, digest_size=HASH_BYTES).digest()


def cells_of(record: str) -> Iterator[str]:
    """The cells of a reject's record: an object, or a header and its cells."""
    kept = json.loads(record)
    cells = kept.values() if isinstance(kept, dict) else kept[1]
    return (cell for cell in cells if isinstance(cell, str))


def names_in(cells: Iterable[str]) -> Iterator[str]:
    """Everything in a record's cells that can be somebody's key or address, in its normal form."""
    for cell in cells:
        text = normal_cell(cell)
        if not text:
            continue
        yield text
        if "@" in text:
            yield text.lower()
            # Also what is no address by its syntax: somebody may have been forgotten under it.
            yield from (found.strip(".'").lower() for found in _ADDRESS.findall(text))
        if not text.isascii() or "@" in text or "%40" in text or "&" in text:
            yield from addresses_in(text)
