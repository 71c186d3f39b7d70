"""Picks the records of a chunk that `only` chooses. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from connectors.sources import Chunk
from pipelines.config.only import ChoiceConfig
from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.text_columns import Flags


def chosen(chunk: Chunk, only: Mapping[str, ChoiceConfig]) -> Chunk:
    """The chunk without the records that `only` leaves out. Unreadable rows stay, so that they are
    reported."""
    if not only or not len(chunk.frame):
        return chunk
    is_chosen = np.ones(len(chunk.frame), dtype=np.bool_)
    for column, choice in only.items():
        is_chosen &= _are_chosen(chunk.frame[column], choice)
    unsure = [fault.row for fault in chunk.faults if fault.column in only]
    is_chosen |= chunk.frame.index.isin(unsure)
    if is_chosen.all():
        return chunk
    frame = chunk.frame[is_chosen]
    return replace(
        chunk,
        frame=frame,
        lines=[line for line, is_one in zip(chunk.lines, is_chosen.tolist(), strict=True) if is_one],
        originals=None if chunk.originals is None else chunk.originals[is_chosen],
        faults=tuple(fault for fault in chunk.faults if fault.row in frame.index),
    )


def _are_chosen(column: Iterable[str], choice: ChoiceConfig) -> Flags:
    seen: dict[str, bool] = {}
    wanted = None if choice.one_of is None else {normal_cell(cell).casefold() for cell in choice.one_of}
    unwanted = {normal_cell(cell).casefold() for cell in choice.none_of or ()}

    def is_chosen(cell: str) -> bool:
        text = normal_cell(cell).casefold()
        if choice.blank is not None and choice.blank is bool(text):
            return False
        return (wanted is None or text in wanted) and text not in unwanted

    flags = []
    for cell in column:
        if cell not in seen:
            seen[cell] = is_chosen(cell)
        flags.append(seen[cell])
    return np.array(flags, dtype=np.bool_)
