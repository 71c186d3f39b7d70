"""Which records of a source are known to be just as Kartra acknowledged them, by their raw hashes.

18 bytes a record, in sorted arrays: a million are compared in a second.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipelines.raw_hash import HASH_BYTES

_Places = npt.NDArray[np.intp]
_Flags = npt.NDArray[np.bool_]


class KnownRecords:
    """Hashes that were kept, and which of them came again. A hash that is left out is not known any more."""

    def __init__(self, hashes: bytearray) -> None:
        """`hashes`: one behind the other, in any order; they are sorted in place."""
        whole = np.frombuffer(hashes, dtype=f"S{HASH_BYTES}")
        whole.sort()
        halves = whole.view(np.uint64)
        if sys.byteorder == "little":  # as numbers they are in the same order
            halves.byteswap(inplace=True)
        self._high, self._low = halves[::2], halves[1::2]
        self._seen = np.zeros(len(self._high), dtype=np.bool_)
        self._left_out = np.zeros(len(self._high), dtype=np.bool_)
        self._repeated: list[bytes] = []

    def __len__(self) -> int:
        return len(self._high)

    @property
    def seen_count(self) -> int:
        return int(np.count_nonzero(self._seen))

    @property
    def repeated(self) -> list[bytes]:
        """Hashes that came more than once."""
        return self._repeated

    def see(self, hashes: bytes) -> _Flags:
        """Which of these are known; they have come again."""
        if not len(self):
            return np.zeros(len(hashes) // HASH_BYTES, dtype=np.bool_)
        places, is_known = self._find(hashes)
        found = np.sort(places[is_known])
        repeated = np.unique(np.concatenate([found[1:][found[1:] == found[:-1]], found[self._seen[found]]]))
        self._repeated += self._hashes(repeated)
        self._seen[found] = True
        return is_known

    def seen_among(self, hashes: Sequence[bytes]) -> list[bytes]:
        """Those of these that are known and have come again."""
        if not hashes or not len(self):
            return []
        places, is_known = self._find(b"".join(hashes))
        is_seen = is_known & self._seen[places]
        return [one for one, seen in zip(hashes, is_seen.tolist(), strict=True) if seen]

    def leave_out(self, hashes: Iterable[bytes]) -> None:
        places, is_known = self._find(b"".join(hashes))
        self._left_out[places[is_known]] = True

    def begin_again(self) -> None:
        """Nothing has come yet."""
        self._seen[:] = False
        self._repeated = []

    def unseen(self) -> Iterator[bytes]:
        """Those that have not come, in order."""
        for start in range(0, len(self), 100_000):
            yield from self._hashes(np.flatnonzero(~self._seen[start : start + 100_000]) + start)

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
        places[order] = np.searchsorted(self._high, high[order])
        np.minimum(places, max(len(self) - 1, 0), out=places)
        # Of two hashes that share their first half one is not found: its record is mapped, as a new one is.
        is_known = (self._high[places] == high) & (self._low[places] == halves[:, 1])
        return places, is_known & ~self._left_out[places]
