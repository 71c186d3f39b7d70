"""The load section of a pipeline file.

Shorthands such as `key: email` are parsed here, each parser beside its JSON Schema; every scalar may arrive
as text. No message shows a value, because it may come from the environment. Sources are in `sources`, consent
in
`consent`, wishes in `wishes`; `file` reads the file with its positions and variables.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
)

from connectors.sources.names import column_name
from pipelines.config.consent import ConsentConfig, OptOuts, declared_words, proves_consent
from pipelines.config.custom_fields import CustomField, can_be_created
from pipelines.config.examples import ExampleConfig
from pipelines.config.guards import GuardsConfig
from pipelines.config.only import Choice
from pipelines.config.scalars import (
    VARIABLE,
    Column,
    Fault,
    Section,
    Text,
    also,
    beside,
    number_between,
    offer,
    one_of,
    plain_text,
    read_by,
    truth,
    wrong,
)
from pipelines.config.sources import WRITTEN_SOURCE, SourceConfig, source_config, written_source
from pipelines.config.values import PLACEHOLDER
from pipelines.config.wishes import (
    TAKEN_BY,
    CalendarConfig,
    LeadFields,
    Names,
    PointsConfig,
    SequenceConfig,
    listed_once,
    one_of_points,
    points_of,
)

SyncMode = Literal["upsert", "create_only", "update_only"]
OnGone = Literal["report", "recreate", "forget"]
Existing = Literal["update", "fill_blanks", "skip"]
Removal = Literal["untag", "unsubscribe"]
Blank = Literal["ignore", "clear"]
OnDrift = Literal["report", "keep", "restore"]
DuplicateRule = Literal["first", "last", "newest", "merge", "error"]


_EMAIL = {"anyOf": [{"enum": ["email"]}, VARIABLE]}
_REMOVALS = {
    "anyOf": [
        {"enum": ["ignore"]},
        {"type": "array", "items": {"anyOf": [{"enum": list(get_args(Removal))}, VARIABLE]}},
        VARIABLE,
    ]
}
_DUPLICATES = {"anyOf": [{"pattern": "^(first|last|merge|error|newest:.+)$", "type": "string"}, VARIABLE]}


# Load: which contact is whose lead


class KeyColumn(Section):
    column: Column
    """The column whose value stays the same when an address changes."""


class KeyConfig(Section):
    column: str | None
    """None if the address is the key."""


def _key(value: object) -> KeyConfig:
    if isinstance(value, KeyConfig):
        return value
    if isinstance(value, Mapping):
        return KeyConfig(column=KeyColumn.model_validate(value).column)
    if value != "email":
        raise wrong('"email" is expected, or {column: <column>}')
    return KeyConfig(column=None)


# Load: what becomes of them


def _on_removed(value: object) -> object:
    if value == "ignore":
        return ()
    if not isinstance(value, list | tuple):
        raise wrong(f'"ignore" is expected, or a list of {", ".join(get_args(Removal))}')
    return value


class Duplicates(Section):
    """Which of several records with one key counts; `column` orders them for `newest`."""

    how: DuplicateRule = "last"
    column: str | None = None


def _duplicates(value: object) -> object:
    if isinstance(value, Duplicates):
        return value
    rule, _, column = value.partition(":") if isinstance(value, str) else ("", "", "")
    if rule.strip() == "newest":
        if not column.strip():
            raise wrong('newest needs a column: "newest:<column>"')
        return Duplicates(how="newest", column=column_name(column))
    rules = ("first", "last", "merge", "error", "newest:<column>")
    if value not in rules[:-1]:
        raise wrong(f"not one of {', '.join(rules)}{offer(value, rules[:-1])}")
    return {"how": value}


class SuppressConfig(Section):
    """People who must not be sent: a source, and its column of addresses."""

    source: SourceConfig
    email: str


WRITTEN_SUPPRESS = written_source(
    "WrittenSuppress",
    "People who must not be sent: a source with the column of their addresses.",
    email=(Text, Field(description="The column of the source that holds addresses.")),
)


def _suppress(value: object, info: ValidationInfo) -> SuppressConfig:
    if isinstance(value, SuppressConfig):
        return value
    if not isinstance(value, Mapping):
        raise wrong("a map is expected, such as {csv: unsubscribed.csv, email: Email}")
    source = source_config({key: one for key, one in value.items() if key != "email"}, info)
    if value.get("email") is None:
        raise wrong("email is needed: the column of the source that holds addresses")
    return SuppressConfig(source=source, email=column_name(plain_text(value["email"])))


class TransformConfig(Section):
    """A Python function between source and mapping."""

    file: Path
    function: str

    @property
    def name(self) -> str:
        return f"{self.file.stem}:{self.function}"


def _transform(value: object, info: ValidationInfo) -> TransformConfig:
    if isinstance(value, TransformConfig):
        return value
    named = re.fullmatch(r"([A-Za-z_]\w*):([A-Za-z_]\w*)", plain_text(value))
    if not named:
        raise wrong("a module beside this file and its function are expected, such as cleaning:cleaned")
    return TransformConfig(file=beside(f"{named[1]}.py", info), function=named[2])


Strictness = Literal["error", "warn", "ignore"]


class ContractConfig(Section):
    """What happens if columns are missing or new."""

    missing: Annotated[Strictness, one_of(Strictness)] = "error"
    """A column that the pipeline names is missing. warn, ignore: what needs it stays as it is in Kartra; the
    columns of address, key, consent and newest: are always needed."""
    extra: Annotated[Strictness, one_of(Strictness)] = "ignore"
    """The source has a column that the pipeline does not name."""
    unused: tuple[Text, ...] = ()
    """Expected columns that the mapping does not read."""


class LoadConfig(Section):
    """Sends contacts to Kartra."""

    source: Annotated[SourceConfig, BeforeValidator(source_config, json_schema_input_type=WRITTEN_SOURCE)]
    """Where the contacts come from: one source."""
    only: dict[Text, Choice] = Field(default={})
    """Which records are loaded: {Plan: [pro, team], Left: {blank: true}}. The others are left out."""
    transform: (
        Annotated[
            TransformConfig,
            read_by(_transform, {"type": "string", "pattern": r"^[A-Za-z_]\w*:[A-Za-z_]\w*$|\$\{"}),
        ]
        | None
    ) = None
    """module:function in a Python file beside this one. It takes the records as a DataFrame, a chunk at a
    time, and returns those that the mapping reads."""
    contract: ContractConfig = Field(default_factory=ContractConfig)
    """What happens if columns are missing or new: {missing: error, extra: warn}."""
    key: Annotated[
        KeyConfig,
        BeforeValidator(_key, json_schema_input_type=Annotated[Any, WithJsonSchema(_EMAIL)] | KeyColumn),
    ] = Field(default=KeyConfig(column=None), json_schema_extra={"default": "email"})
    """What identifies a person: email, or {column: customer_id}, which survives a change of address."""
    fields: LeadFields
    """Lead field: column of the source, "{First} {Last}", or {column, do: [steps]}. email is needed."""
    custom_fields: dict[Text, CustomField] = Field(default={})
    """Identifier of a custom field: column of the source, or {column, do, split}. With create, such as
    {type: drop_down, options: [S, M, L]}, a field that the account lacks is created."""
    create_custom_fields: Annotated[bool, read_by(truth, {"enum": [True, False, "true", "false"]})] = False
    """Whether custom fields that the account lacks are created, as texts unless create says otherwise."""
    tags: Names = ()
    """Tags for every lead; {column, split} takes names from a column, "Plan {Plan}" builds them from one."""
    lists: Names = ()
    """Lists every lead is subscribed to; {column, split} takes names from a column."""
    sequences: Annotated[tuple[SequenceConfig, ...], also(listed_once)] = ()
    """Sequences every lead is subscribed to; {name: {column: Course}} takes the name from a column."""
    untag: Names = ()
    """Tags to remove from leads, whoever gave them: names or columns, as in tags."""
    unsubscribe: Names = ()
    """Lists to take leads off, whoever put them on: names or columns, as in lists."""
    unsubscribe_from_sequences: Names = ()
    """Sequences to end for leads, whoever started them: names or columns."""
    points: (
        Annotated[
            PointsConfig,
            BeforeValidator(
                points_of,
                json_schema_input_type=Annotated[Any, WithJsonSchema({"type": "integer", "minimum": 1})]
                | PointsConfig,
            ),
            also(one_of_points),
        ]
        | None
    ) = None
    """Points every lead is given, once: a number, or {column, expiration_days}."""
    calendars: Annotated[tuple[CalendarConfig, ...], also(listed_once)] = ()
    """Classes of calendars every lead is subscribed to."""
    sync_mode: Annotated[SyncMode, one_of(SyncMode)] = "upsert"
    """Whether leads are created, edited, or both."""
    existing: Annotated[Existing, one_of(Existing)] = "update"
    """What happens to a lead that Kartra had before we did."""
    on_removed: Annotated[
        tuple[Annotated[Removal, one_of(Removal)], ...],
        read_by(_on_removed, _REMOVALS),
        also(listed_once),
    ] = Field(default=(), json_schema_extra={"default": "ignore"})
    """What happens to a lead that left the source: ignore, or a list. Only what we gave is taken back."""
    on_gone: Annotated[OnGone, one_of(OnGone)] = "report"
    """What happens to a lead of ours that is gone from Kartra: report (refused), recreate, forget."""
    on_drift: Annotated[OnDrift, one_of(OnDrift)] = "report"
    """What happens to values that were changed in Kartra after we sent them, once `drift` or a pull finds
    them."""
    blank: Annotated[Blank, one_of(Blank)] = "ignore"
    """What an empty cell does."""
    duplicates: Annotated[Duplicates, read_by(_duplicates, _DUPLICATES)] = Field(
        default=Duplicates(), json_schema_extra={"default": "last"}
    )
    """Which record counts when several have the same key: first, last, newest:<column>, merge, error."""
    consent: Annotated[ConsentConfig, also(proves_consent)]
    """The proof that these people agreed to be mailed."""
    opt_out: OptOuts = ()
    """The meaning of words in a status column: {column: Status, blocked: [gone], allowed: [vip]}."""
    examples: tuple[ExampleConfig, ...] = ()
    """Tests of the mapping: records and the leads expected of them: [{given: {…}, expect: {…}}]."""
    suppress: tuple[
        Annotated[SuppressConfig, BeforeValidator(_suppress, json_schema_input_type=WRITTEN_SUPPRESS)], ...
    ] = ()
    """People who are never sent: lists of those who unsubscribed, bounced or complained elsewhere."""
    canary: Annotated[int, number_between(0, 10_000, whole=True)] = 0
    """How many leads go first, of every kind there is: they are read back, and a difference stops the run."""
    guards: GuardsConfig = Field(default_factory=GuardsConfig)
    """What stops a run."""


def fits_together(load: object) -> Iterator[Fault]:
    """Faults that only two keys of a load section show together."""
    if not isinstance(load, Mapping):
        return
    yield from can_be_created(load)
    yield from _are_blanked(load)
    for wish, key in TAKEN_BY.items():
        given = {name for _, name in _constants(load.get(wish))}
        for place, name in _constants(load.get(key)):
            if name in given:
                yield (key, place), wrong(f"{wish} gives it to every lead")


def _are_blanked(load: Mapping[Any, Any]) -> Iterator[Fault]:
    """Words that block a person and mean blank to the source, which would block nobody."""
    source, opt_outs = load.get("source"), load.get("opt_out")
    options = (
        [one for one in source.values() if isinstance(one, Mapping)] if isinstance(source, Mapping) else []
    )
    blank: set[str] = set().union(*(declared_words(_listed(one.get("blanks"))) for one in options))
    for place, one in enumerate(_listed(opt_outs)):
        if isinstance(one, Mapping) and (both := declared_words(one.get("blocked")) & blank):
            yield ("opt_out", place, "blocked"), wrong(f'the blanks of the source have "{min(both)}", too')


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else (value,)


def _constants(elements: object) -> Iterator[tuple[int, str]]:
    for place, element in enumerate(elements if isinstance(elements, list | tuple) else ()):
        name = element.get("name", element.get("constant")) if isinstance(element, Mapping) else element
        if isinstance(name, str) and not PLACEHOLDER.search(name):
            yield place, name.strip()
