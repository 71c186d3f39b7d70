"""The changes of a plan as lines for a terminal."""

from collections.abc import Iterable, Iterator

from pipelines.changes.shown import ShownChange
from pipelines.cli.output import printable


def change_lines(changes: Iterable[ShownChange]) -> Iterator[str]:
    """A head for each lead, and a line below it for each value and name."""
    for change in changes:
        where = f"row {change.row}: " if change.row is not None else ""
        yield f"{where}{printable(change.key)} {change.outcome}"
        for value in change.values:
            what = value.name if value.kind == "email" else f"{value.kind} {value.name}"
            yield f"  {printable(what)}: {_value(value.old)} -> {_value(value.new)}"
        for name in change.names:
            yield f'  {name.sign} {name.what} "{printable(name.name)}"'


def _value(text: str | None) -> str:
    if text is None:
        return "(known once the lead is read)"
    return f'"{printable(text)}"' if text else "(blank)"
