"""Finds the cells that may begin with one of many phrases, by their first four bytes. Pure.

A regular expression of all phrases takes longer to compile than a chunk takes to read. A table over the first
four bytes rules out nearly all cells; the rest is checked one by one.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.contacts.text_columns import Flags, bytes_of, offsets_of

_HEAD_BYTES = 4
_NOTHING, _OPEN, _FOREIGN = 0, 27, 28
"""Classes of bytes beside the 26 letters: in no phrase; anything may follow; another script."""
_CLASSES = 29
_OTHER_SCRIPTS = (*range(0xD0, 0xD2), *range(0xE3, 0xEA))
"""First bytes of Cyrillic, Japanese and Chinese in UTF-8."""
_MARKS_THERE = tuple(chr(one) for one in range(0x3000, 0xA000) if not chr(one).isalnum())
"""Spaces, stops and brackets of these scripts, behind which anything may follow."""


def _class_of_bytes() -> npt.NDArray[np.int32]:
    classes = np.full(256, _OPEN, dtype=np.int32)
    for place in range(26):
        classes[[ord("a") + place, ord("A") + place]] = place + 1
    classes[ord("0") : ord("9") + 1] = _NOTHING
    classes[[0xCE, 0xCF, *range(0xD2, 0xE1)]] = _NOTHING  # Greek, and scripts that no phrase is written in
    classes[list(_OTHER_SCRIPTS)] = _FOREIGN
    return classes


_CLASS = _class_of_bytes()
_PAIRS = np.arange(1 << 16)
_TWO_CLASSES = (_CLASS[_PAIRS & 0xFF] * _CLASSES + _CLASS[_PAIRS >> 8]).astype(np.int32)
"""The combined class of two bytes that are read as one little-endian number."""


class Beginnings:
    """A set of phrases, of lower-case letters only; those in the Latin alphabet have no accents."""

    def __init__(self, phrases: Iterable[str]) -> None:
        shape = (_CLASSES,) * _HEAD_BYTES
        may = np.zeros(shape, dtype=np.bool_)
        may[_OPEN] = True
        foreign = {self._code(text) for text in _MARKS_THERE}
        for phrase in phrases:
            if not phrase.isascii():
                foreign |= {self._code(phrase), self._code(phrase.upper())}
                continue
            letters = [ord(one) - ord("a") + 1 for one in phrase[:_HEAD_BYTES]]
            may[tuple(letters)] = True
            for length in range(1, len(letters)):
                may[(*letters[:length], _OPEN)] = True
        self._may = may.reshape(-1)
        self._foreign = np.array(sorted(foreign), dtype=np.uint32)

    def may_begin(self, cells: pa.StringArray) -> Flags:
        """Which cells may begin with a phrase: all that do, and few others.

        A shorter cell is read together with the bytes of the next one, which finds a few more.
        """
        offsets, text = offsets_of(cells), bytes_of(cells)
        begin, end = int(offsets[0]), int(offsets[-1])
        # Four bytes are read from each cell's start, also where it ends sooner: the last one needs room.
        padded = np.zeros(end - begin + _HEAD_BYTES, dtype=np.uint8)
        padded[: end - begin] = text[begin:end]
        words = np.ndarray((end - begin + 1,), dtype="<u4", buffer=padded, strides=(1,))
        heads = words[offsets[:-1] - begin]
        # Two lookups of two bytes instead of four of one: every cell of every column comes here.
        codes = _TWO_CLASSES[heads & 0xFFFF] * _CLASSES**2 + _TWO_CLASSES[heads >> 16]
        found: Flags = self._may[codes] & (offsets[1:] > offsets[:-1])
        is_foreign = _CLASS[heads & 0xFF] == _FOREIGN
        if is_foreign.any():
            found |= is_foreign & np.isin(heads & 0xFFFFFF, self._foreign)
        return found

    @staticmethod
    def _code(text: str) -> int:
        return int.from_bytes(text.encode()[:3], "little")
