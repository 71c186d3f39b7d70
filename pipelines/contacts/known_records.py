"""Which records of a source are known to be just as Kartra acknowledged them, by their raw hashes.

17 bytes a record, also while they are sorted: a million are compared in a second.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipelines.contacts.fingerprint import HASH_BYTES

_BUCKETS = 1 << 16
"""By the first two bytes of a hash; hashes are spread evenly, so that of 10 million 150 are in each."""

_SEEN, _SHARED, _LEFT_OUT = 1, 2, 4
"""Marks of a record: it has come again, it is not the only one of its key, it is not known any more."""

_Places = npt.NDArray[np.intp]
_Flags = npt.NDArray[np.bool_]


class KnownRecords:
    """Hashes that were kept, and which of them came again. A hash that is left out is not known any more."""

    def __init__(self, hashes: bytearray) -> None:
        """`hashes`: one behind the other, in any order; they are sorted in place."""
        whole = np.frombuffer(hashes, dtype=f"S{HASH_BYTES}")
        whole.sort()
        halves = whole.view(np.uint64)
        if sys.byteorder == "little":  # as numbers they have the same order
            halves.byteswap(inplace=True)
        self._high, self._low = halves[::2], halves[1::2]
        self._starts = _starts(self._high)
        self._marks = np.zeros(len(self._high), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self._high)

    @property
    def seen_count(self) -> int:
        return int(np.count_nonzero(self._marks & _SEEN))

    def see(self, hashes: bytes) -> _Flags:
        """Which of these are known; they have come again. Those that came before are shared."""
        if not len(self):
            return np.zeros(len(hashes) // HASH_BYTES, dtype=np.bool_)
        places, is_known = self._find(hashes)
        found = np.sort(places[is_known])
        self._marks[found[1:][found[1:] == found[:-1]]] |= _SHARED
        self._marks[found[(self._marks[found] & _SEEN) != 0]] |= _SHARED
        self._marks[found] |= _SEEN
        return is_known

    def share(self, hashes: Sequence[bytes]) -> None:
        """Those of these that have come again are not the only ones of their key."""
        if not hashes or not len(self):
            return
        places, is_known = self._find(b"".join(hashes))
        found = places[is_known]
        self._marks[found[(self._marks[found] & _SEEN) != 0]] |= _SHARED

    def leave_out(self, hashes: Iterable[bytes]) -> None:
        places, is_known = self._find(b"".join(hashes))
        self._marks[places[is_known]] |= _LEFT_OUT

    def leave_out_shared(self) -> bool:
        """Leaves out those that are shared; nothing has come yet then. False where there are none."""
        is_shared = (self._marks & _SHARED) != 0
        if not is_shared.any():
            return False
        self._marks[is_shared] |= _LEFT_OUT
        self._marks &= _LEFT_OUT
        return True

    def unseen(self) -> Iterator[bytes]:
        """Those that have not come, in order."""
        for start in range(0, len(self), 100_000):
            part = slice(start, start + 100_000)
            yield from self._hashes(np.flatnonzero((self._marks[part] & _SEEN) == 0) + start)

    def _hashes(self, places: _Places) -> list[bytes]:
        halves = np.column_stack([self._high[places], self._low[places]])
        joined = halves.astype(">u8").tobytes()
        return [joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)]

    def _find(self, hashes: bytes) -> tuple[_Places, _Flags]:
        """The place of each, and whether it is known; where it is not, the place says nothing."""
        halves = np.frombuffer(hashes, dtype=">u8").reshape(-1, 2)
        high = halves[:, 0].astype(np.uint64)
        order = np.argsort(high)  # asked in order, the search stays in the processor's cache
        places = np.empty(len(high), dtype=np.intp)
        places[order] = self._search(high[order])
        # Of two hashes that share their first half one is not found: its record is mapped, as a new one is.
        is_known = (self._high[places] == high) & (self._low[places] == halves[:, 1])
        return places, is_known & ((self._marks[places] & _LEFT_OUT) == 0)

    def _search(self, high: npt.NDArray[np.uint64]) -> _Places:
        """The first place of each first half, or one beside where it would be; there is at least one place.

        Twice as fast as np.searchsorted at 10 million: most of its steps miss the processor's cache.
        """
        bucket = (high >> np.uint64(48)).astype(np.intp)
        first, end = self._starts[bucket], self._starts[bucket + 1]
        for _ in range(int((end - first).max(initial=0)).bit_length()):
            middle = (first + end) >> 1
            is_below = (self._high[np.minimum(middle, len(self) - 1)] < high) & (first < end)
            first = np.where(is_below, middle + 1, first)
            end = np.where(is_below, end, middle)
        return np.minimum(first, len(self) - 1)


def _starts(high: npt.NDArray[np.uint64]) -> _Places:
    """Where each bucket starts, and where the last one ends."""
    counts = np.zeros(_BUCKETS, dtype=np.intp)
    for start in range(0, len(high), 100_000):
        part = (high[start : start + 100_000] >> np.uint64(48)).astype(np.intp)
        counts += np.bincount(part, minlength=_BUCKETS)
    return np.concatenate([[0], np.cumsum(counts)])
