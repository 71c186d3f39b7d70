"""Drafts a first pipeline for a source: a known export, or a guess with its certainty for each column.

`draft_text` writes the pipeline file.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from connectors.errors import ConfigError
from connectors.sources import Source
from pipelines.contacts.opt_out_rules import Kind, Verdict, header_of, is_yes, verdict
from pipelines.contacts.steps.time_zones import time_zone
from pipelines.drafts.headers import (
    ABOUT_CONSENT,
    CONSENT_NAMES,
    FIELD_NAMES,
    NAME_NAMES,
    OTHERS,
    STATUS_NAMES,
    SUBSCRIBED,
    TAG_NAMES,
    YES,
    key_of,
    keys_of,
)
from pipelines.drafts.inspection import ColumnProfile, Profile, profile_of
from pipelines.drafts.named_source import NamedFile, NamedSource
from pipelines.drafts.presets import Preset, preset_of
from pipelines.words.folding import folded
from pipelines.words.nearest import nearest

PROFILED_ROWS = 20_000
CLOSE = 0.5
"""The share from which a second column of addresses is a rival, and the first one is certain."""
_TIME_ZONE = "lead_preferred_time_zone"
_FIELD_BY_KEY = {key: name for name, keys in FIELD_NAMES.items() for key in keys}


class Choices(NamedTuple):
    """What a person said: the columns of addresses and of consent."""

    email: str | None = None
    consent: str | None = None


@dataclass(slots=True)
class Draft:
    """The draft of a pipeline. `why` says how sure each mapping is, `steps` what it does to the column, both
    by lead field.
    """

    source: str
    preset: Preset | None
    rows: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    tags: str | None = None
    status: str | None = None
    accepted: tuple[str, ...] = ()
    other_status: list[str] = field(default_factory=list)
    opt_outs: list[str] = field(default_factory=list)
    """Columns that every run searches for opt-outs, mapped or not."""
    words: dict[str, int] = field(default_factory=dict)
    """The words of the consent column, with their counts."""
    maybe_consent: tuple[str, tuple[str, ...]] | None = None
    """A column that seems to say who agreed, and its words for it; for where nothing else says so."""
    newest: str | None = None
    suppress: list[str] = field(default_factory=list)
    custom: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    yes_or_no: list[str] = field(default_factory=list)


def draft_pipeline(named: NamedSource, folder: Path, choices: Choices) -> Draft:
    """The draft of a pipeline file in `folder`. Raises ConfigError, SourceError."""
    source = named.open()
    profile = profile_of(source, rows=PROFILED_ROWS)
    draft = Draft(named.written(folder), preset_of(source.columns), profile.rows)
    _map_columns(draft, profile, source)
    _map_address(draft, profile, choices.email)
    _find_consent(draft, profile, named)
    if choices.consent is not None:
        _take_consent(draft, profile, choices.consent)
    draft.maybe_consent = _maybe_consent(draft, profile)
    draft.words = next((dict(one.words or {}) for one in profile.columns if one.name == draft.status), {})
    others = set(map(key_of, draft.preset.other_status)) if draft.preset else set()
    draft.other_status = [column.name for column in profile.columns if key_of(column.name) in others]
    draft.opt_outs = [
        name for name in draft.custom if _says_who_opted_out(name) and key_of(name) not in others
    ]
    for name in draft.opt_outs:
        del draft.custom[name]
    draft.yes_or_no = [column.name for column in profile.columns if column.share("yes/no") > 0.9]
    if isinstance(named, NamedFile):
        draft.suppress = [other.written(folder) for other in named.opted_out()]
    return draft


def _map_columns(draft: Draft, profile: Profile, source: Source) -> None:
    for column in profile.columns:
        key = key_of(column.name)
        lead_field = next((_FIELD_BY_KEY[one] for one in keys_of(column.name) if one in _FIELD_BY_KEY), None)
        if source.columns.count(column.name) > 1:
            draft.left_out[column.name] = "its name stands in the header more than once"
        # Before any mapping: card numbers are left out even where the column is called `phone`.
        elif column.is_secret:
            draft.left_out[column.name] = "may hold card numbers or secrets: it is never read further"
        elif not column.filled:
            draft.left_out[column.name] = "empty"
        elif lead_field == "email" and _is_more_their_own(column, draft.fields.get("email")):
            if before := draft.fields.get("email"):
                draft.custom[before] = _filled(_column(profile, before, ""), profile.rows)
            draft.fields["email"] = column.name
        elif lead_field and lead_field not in draft.fields and _can_be(lead_field, column):
            draft.fields[lead_field] = column.name
            draft.why[lead_field] = "sure: by its name"
        elif key in TAG_NAMES and draft.tags is None:
            draft.tags = column.name
        else:
            draft.custom[column.name] = _filled(column, profile.rows)
    # Only where no column has the parts, because taking a name apart is a guess.
    if draft.fields.keys().isdisjoint(("first_name", "last_name")):
        _take_apart_names(draft)
    if "country" in draft.fields:
        # Whether Kartra wants names or codes is not documented (§5.1.1); the only country that its pages show
        # in a profile is a name.
        draft.steps["country"] = "{country: name, else: keep}"
    if _TIME_ZONE in draft.fields:
        draft.steps[_TIME_ZONE] = "time_zone"


def _is_more_their_own(column: ColumnProfile, known: str | None) -> bool:
    """Whether its name says more than the known one that the addresses are those of the people themselves.

    `billing_email` may be of whoever pays for them.
    """
    ranks = {key: rank for rank, key in enumerate(FIELD_NAMES["email"])}
    rank = min(ranks.get(key, len(ranks)) for key in keys_of(column.name))
    known_rank = min((ranks.get(key, len(ranks)) for key in keys_of(known or "")), default=len(ranks))
    return known is None or (rank < known_rank and column.looks["address"] > 0)


def _can_be(lead_field: str, column: ColumnProfile) -> bool:
    """Whether a column can be this field: "adresse" may hold e-mail, and unknown time zones would be
    invalid."""
    if lead_field == _TIME_ZONE:
        return column.words is not None and all(map(time_zone, column.words))
    return lead_field == "email" or column.share("address") <= 0.5


def _take_apart_names(draft: Draft) -> None:
    column = next((one for one in draft.custom if key_of(one) in NAME_NAMES), None)
    if column is None:
        return
    del draft.custom[column]
    for lead_field in ("first_name", "middle_name", "last_name"):
        part = lead_field.partition("_")[0]
        draft.fields[lead_field], draft.steps[lead_field] = column, f"{{name: {part}}}"
        draft.why[lead_field] = "likely: the column holds full names"


# Whose address


def _map_address(draft: Draft, profile: Profile, chosen: str | None) -> None:
    by_name = draft.fields.pop("email", None)
    if chosen is not None:
        column, why = _column(profile, chosen, "--email"), "sure: you said so"
    elif by_name is not None:
        column = _column(profile, by_name, "")
        why = _how_sure(column)
        found = profile.with_addresses
        if found and column.looks["address"] < CLOSE * found[0].looks["address"]:
            raise ConfigError(_which(found, profile.rows, f'the column "{by_name}" holds few, and '))
    else:
        column = _most_addresses(profile)
        why = f"likely: {column.share('address'):.0%} of its cells are addresses"
    if by_name not in (None, column.name):
        draft.custom[str(by_name)] = _filled(_column(profile, str(by_name), ""), profile.rows)
    draft.custom.pop(column.name, None)
    others = {name: mapped for name, mapped in draft.fields.items() if mapped != column.name}
    draft.fields = {"email": column.name, **others}
    draft.why["email"] = why


def _how_sure(column: ColumnProfile) -> str:
    share = column.share("address")
    if share <= 0.5:
        return f"unsure: by its name, but {share:.0%} of its cells are addresses"
    return "sure: by its name"


def _most_addresses(profile: Profile) -> ColumnProfile:
    """The column with most addresses, if no other comes near and it is not about somebody else.

    Otherwise it is an error: mailing a stranger is worse than asking.
    """
    found = profile.with_addresses
    if not found:
        raise ConfigError("no column holds e-mail addresses: Kartra knows people by them")
    best, *others = found
    count = best.looks["address"]
    is_close = bool(others) and others[0].looks["address"] >= CLOSE * count
    if is_close or count < CLOSE * profile.rows or OTHERS.search(folded(best.name)):
        raise ConfigError(_which(found, profile.rows))
    return best


def _which(found: list[ColumnProfile], rows: int, before: str = "") -> str:
    shown = ", ".join(f'"{one.name}" in {one.looks["address"] / rows:.0%} of the rows' for one in found[:5])
    return (
        f"{before}e-mail addresses stand in the columns {shown}; say which column holds those of the people"
        f' themselves, with --email "{found[0].name}"'
    )


def _column(profile: Profile, name: str, option: str) -> ColumnProfile:
    for column in profile.columns:
        if column.name == name:
            return column
    near = nearest(name, (column.name for column in profile.columns))
    raise ConfigError(f'{option}: no column "{name}"' + (f'; did you mean "{near}"?' if near else ""))


# Who agreed


def _find_consent(draft: Draft, profile: Profile, named: NamedSource) -> None:
    preset = draft.preset
    by_key = {key_of(column.name): column.name for column in profile.columns if column.filled}
    others = set(map(key_of, preset.other_status)) if preset else set()
    status = preset.status if preset else None
    found = (
        by_key.get(key_of(status))
        if status
        else next((by_key[key] for key in STATUS_NAMES if key in by_key and key not in others), None)
    )
    if found is not None:
        draft.status, draft.accepted = found, preset.accepted if preset and status else SUBSCRIBED
        draft.custom.pop(found, None)
    elif agreed := next((by_key[key] for key in CONSENT_NAMES if key in by_key), None):
        draft.status, draft.accepted = agreed, YES
        draft.custom.pop(agreed, None)
    elif preset and preset.status_in_name and _says_subscribed(named):
        draft.accepted = (f"exported by {preset.name} as subscribed",)
    if preset and preset.newest:
        draft.newest = by_key.get(key_of(preset.newest))


def _maybe_consent(draft: Draft, profile: Profile) -> tuple[str, tuple[str, ...]] | None:
    """The first column about consent to mail, each of whose words says a clear yes or no."""
    if draft.status is not None:
        return None
    for column in profile.columns:
        header = header_of(column.name)
        if header.kind is not Kind.POSITIVE or not ABOUT_CONSENT.search(folded(column.name)):
            continue
        words = tuple(column.words or ())
        yes = tuple(word for word in words if is_yes(word))
        if yes and all(word in yes or verdict(header, word) is Verdict.NO for word in words):
            return column.name, tuple(dict.fromkeys(word.casefold() for word in yes))
    return None


def _says_subscribed(named: NamedSource) -> bool:
    return isinstance(named, NamedFile) and (named.member or named.name).startswith("subscribed")


def _take_consent(draft: Draft, profile: Profile, name: str) -> None:
    draft.status, draft.accepted = _column(profile, name, "--consent").name, (*YES, *SUBSCRIBED)
    draft.custom.pop(name, None)


def _says_who_opted_out(column: str) -> bool:
    return header_of(column).kind in (Kind.NEGATIVE, Kind.GONE, Kind.STATUS)


def _filled(column: ColumnProfile, rows: int) -> str:
    share = column.filled / rows if rows else 0
    return f"filled in {share:.0%}"
