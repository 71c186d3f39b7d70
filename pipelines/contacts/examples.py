"""Plays the examples of a pipeline file: unit tests of its mapping. Pure."""

from collections.abc import Collection, Iterator
from typing import Any

from pipelines.config.examples import ExpectConfig
from pipelines.config.load import LoadConfig
from pipelines.config.wishes import TAKEN_BY
from pipelines.contacts.lead import DesiredLead
from pipelines.contacts.mapping import Invalid, Mapped, mapper
from pipelines.contacts.wishes import WISHES


def broken_examples(load: LoadConfig, columns: tuple[str, ...]) -> Iterator[str]:
    """A line for each difference between an example and the mapping; columns it does not name are blank.

    Values in these lines come from the pipeline file. Raises ConfigError as `mapper` does.
    """
    map_record = mapper(load, columns)
    for number, example in enumerate(load.examples):
        where = f"load.examples[{number}]"
        unknown = [name for name in example.given if name not in columns]
        if unknown:
            yield f'{where}: the source has no column "{unknown[0]}"'
            continue
        result = map_record({**dict.fromkeys(columns, ""), **example.given}, 2)
        yield from (f"{where}: {message}" for message in _differences(example.expect, result))


def _differences(expect: ExpectConfig, result: Mapped | Invalid) -> Iterator[str]:
    """Only what is expected counts."""
    reason = result.reason if isinstance(result, Invalid) else result.blocked
    if expect.sent is False:
        if reason is None:
            yield "it is sent, and should not be"
    elif reason is not None:
        yield f"it is not sent: {reason}"
    if isinstance(result, Invalid):
        return
    lead = result.lead
    fields = {"email": lead.email, **lead.fields}
    for name, wanted in expect.fields.items():
        yield from _unless_equal(name, wanted, fields.get(name, ""))
    for name, value in expect.custom_fields.items():
        yield from _unless_equal(name, value, lead.custom_fields.get(name, ""))
    for name, given in _names_of(lead).items():
        names: tuple[str, ...] | None = getattr(expect, name, None)
        if names is not None:
            yield from _unless_equal(name, tuple(sorted(names)), tuple(sorted(given)))


def _names_of(lead: DesiredLead) -> dict[str, Collection[str]]:
    """The names of a lead by the key of the load section that asks for them."""
    given = {wish.collection: wish.names(lead) for wish in WISHES}
    gone: dict[str, Collection[str]] = {
        key: [name for kind, name in lead.unwanted if kind == wish] for wish, key in TAKEN_BY.items()
    }
    return {**given, **gone}


def _unless_equal(name: str, wanted: Any, given: Any) -> Iterator[str]:
    if wanted != given:
        yield f"{name}: expected {_shown(wanted)}, the mapping gives {_shown(given)}"


def _shown(value: str | tuple[str, ...]) -> str:
    return repr(value) if isinstance(value, str) else f"[{', '.join(value)}]"
