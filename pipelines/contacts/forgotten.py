"""People who asked to be forgotten, as salted hashes: enough to recognise them, not to name them. Pure."""

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
        """Whether a cell, or an address in one, belongs to a forgotten person."""
        return self.holds(*names_in(cells))


def hash_name(salt: bytes, name: str) -> bytes:
    """The hash of a key or an address in its normal form: BLAKE2b keyed with the salt of the state file."""
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
            # Invalid addresses as well: an earlier version may have accepted and forgotten one.
            yield from (found.strip(".'").lower() for found in _ADDRESS.findall(text))
        if not text.isascii() or "@" in text or "%40" in text or "&" in text:
            yield from addresses_in(text)
