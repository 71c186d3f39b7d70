"""A limit in a pipeline file: a share such as 5%, or a number."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pipelines.config.scalars import VARIABLE, read_by, wrong


@dataclass(frozen=True, slots=True)
class Share:
    """A limit as a fraction of the whole or as a count; the other one is None."""

    fraction: float | None = None
    count: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether no part can exceed it."""
        return self.fraction is not None and self.fraction >= 1

    def exceeded(self, part: int, whole: int) -> bool:
        """Whether `part` of `whole` is over the limit."""
        if self.is_whole:
            return False
        if self.fraction is not None:
            # In binary floats 0.29 * 100 is less than 29.
            return part > Decimal(str(self.fraction)) * whole
        return self.count is not None and part > self.count


def _share(value: object) -> Share:
    if isinstance(value, Share):
        return value
    text = str(value)
    percent = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%", text)
    if percent and Decimal(percent[1]) <= 100:
        return Share(fraction=float(Decimal(percent[1]) / 100))
    if re.fullmatch(r"[0-9]{1,9}", text):
        return Share(count=int(text))
    raise wrong("a share such as 5% (100% at most) or a whole number is expected")


ShareValue = Annotated[
    Share,
    read_by(
        _share,
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^[0-9.]+ ?%?$"},
                VARIABLE,
            ]
        },
    ),
]
