"""Writes a first pipeline for a source: a known export or a guess, with how sure it is of each column.

Nothing of a person is written: only names of columns. What is left out stands there with the reason.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from connectors.errors import ConfigError
from connectors.sources import Source
from pipelines.drafts.inspection import ColumnProfile, Profile, profile_of
from pipelines.drafts.named_source import NamedFile, NamedSource, yaml_scalar
from pipelines.drafts.presets import (
    CONSENT_NAMES,
    FIELD_NAMES,
    NAME_NAMES,
    STATUS_NAMES,
    SUBSCRIBED,
    TAG_NAMES,
    YES,
    Preset,
    preset_of,
)
from pipelines.words.nearest import nearest

PROFILED_ROWS = 20_000
CUSTOM_FIELDS_SHOWN = 40


@dataclass(slots=True)
class Draft:
    """What a pipeline is to say of a source. `why` tells how sure a mapping is, `steps` what it does to the
    column, both by lead field.
    """

    source: str
    preset: Preset | None
    fields: dict[str, str] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    tags: str | None = None
    status: str | None = None
    accepted: tuple[str, ...] = ()
    newest: str | None = None
    suppress: list[str] = field(default_factory=list)
    custom: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    yes_or_no: list[str] = field(default_factory=list)


def draft_pipeline(named: NamedSource, folder: Path, consent: str | None = None) -> Draft:
    """A pipeline file in `folder` for this source. Raises ConfigError, SourceError.

    `consent` is the column that says who agreed, where a person knows it.
    """
    source = named.open()
    profile = profile_of(source, rows=PROFILED_ROWS)
    draft = Draft(named.written(folder), preset_of(source.columns))
    _map_columns(draft, profile, source)
    _find_consent(draft, profile, named)
    if consent is not None:
        _take_consent(draft, profile, consent)
    draft.yes_or_no = [column.name for column in profile.columns if column.share("yes/no") > 0.9]
    if isinstance(named, NamedFile):
        draft.suppress = [other.written(folder) for other in named.other_members()]
    return draft


def pipeline_text(draft: Draft, name: str, attested: str | None) -> str:
    """The pipeline file. Raises ConfigError where nothing says that these people agreed."""
    return "\n".join(_lines(draft, name, attested)) + "\n"


def _map_columns(draft: Draft, profile: Profile, source: Source) -> None:
    fields = {name: field for field, names in FIELD_NAMES.items() for name in names}
    for column in profile.columns:
        known = _one_line(column.name).casefold()
        if source.columns.count(column.name) > 1:
            draft.left_out[column.name] = "its name stands in the header more than once"
        elif column.is_secret:
            draft.left_out[column.name] = "may hold card numbers or secrets: it is never read further"
        elif not column.filled:
            draft.left_out[column.name] = "empty"
        elif (lead_field := fields.get(known)) and lead_field not in draft.fields:
            draft.fields[lead_field] = column.name
            draft.why[lead_field] = _how_sure(lead_field, column)
        elif known in TAG_NAMES and draft.tags is None:
            draft.tags = column.name
        else:
            draft.custom[column.name] = _filled(column, profile.rows)
    if draft.fields.keys().isdisjoint(("first_name", "last_name")):
        _take_apart_names(draft)
    if "email" not in draft.fields:
        _find_address(draft, profile)


def _how_sure(lead_field: str, column: ColumnProfile) -> str:
    if lead_field == "email" and column.share("address") <= 0.5:
        return f"look at it: so it is called, but {column.share('address'):.0%} of its cells are addresses"
    return "sure: by its name"


def _take_apart_names(draft: Draft) -> None:
    column = next((one for one in draft.custom if _one_line(one).casefold() in NAME_NAMES), None)
    if column is None:
        return
    del draft.custom[column]
    for lead_field, part in (("first_name", "first"), ("last_name", "last")):
        draft.fields[lead_field], draft.steps[lead_field] = column, f"{{name: {part}}}"
        draft.why[lead_field] = "likely: the column holds full names"


def _find_address(draft: Draft, profile: Profile) -> None:
    best = profile.addresses
    if best is None:
        raise ConfigError("no column holds e-mail addresses: Kartra knows people by them")
    draft.fields = {"email": best.name, **draft.fields}
    draft.why["email"] = f"likely: {best.share('address'):.0%} of its cells are addresses"
    draft.custom.pop(best.name, None)


def _find_consent(draft: Draft, profile: Profile, named: NamedSource) -> None:
    preset = draft.preset
    by_fold = {column.name.casefold(): column.name for column in profile.columns if column.filled}
    status = preset.status if preset else None
    found = (
        by_fold.get(status.casefold())
        if status
        else next((by_fold[name] for name in STATUS_NAMES if name in by_fold), None)
    )
    if found is not None:
        draft.status, draft.accepted = found, preset.accepted if preset and status else SUBSCRIBED
        draft.custom.pop(found, None)
    elif agreed := next((by_fold[name] for name in CONSENT_NAMES if name in by_fold), None):
        draft.status, draft.accepted = agreed, YES
        draft.custom.pop(agreed, None)
    elif preset and preset.status_in_name and _says_subscribed(named):
        draft.accepted = (f"exported by {preset.name} as subscribed",)
    if preset and preset.newest and preset.newest.casefold() in by_fold:
        draft.newest = by_fold[preset.newest.casefold()]


def _says_subscribed(named: NamedSource) -> bool:
    return isinstance(named, NamedFile) and (named.member or named.name).startswith("subscribed")


def _take_consent(draft: Draft, profile: Profile, name: str) -> None:
    if name not in (column.name for column in profile.columns):
        near = nearest(name, (column.name for column in profile.columns))
        raise ConfigError(f'--consent: no column "{name}"' + (f'; did you mean "{near}"?' if near else ""))
    draft.status, draft.accepted = name, (*YES, *SUBSCRIBED)
    draft.custom.pop(name, None)


def _filled(column: ColumnProfile, rows: int) -> str:
    share = column.filled / rows if rows else 0
    return f"filled in {share:.0%}"


def _lines(draft: Draft, name: str, attested: str | None) -> Iterator[str]:
    preset = draft.preset
    if preset is not None:
        how = {"C": "likely", "A/B": "sure"}.get(preset.sure, "sure")
        yield f"# An export of {preset.name}, by its header ({how})."
    else:
        yield "# No export that is known: columns were told by their names and values. Look at them once."
    yield "# Then:  kartra-sync check, plan and run with this file."
    yield f"pipeline: {name}"
    yield "kartra:"
    yield "  app_id: ${KARTRA_APP_ID}          # from the environment, or from a file .env beside this one"
    yield "  api_key: ${KARTRA_API_KEY}"
    yield "  api_password: ${KARTRA_API_PASSWORD}"
    yield "  url: ${KARTRA_URL:-https://app.kartra.com/api}"
    yield "load:"
    yield f"  source: {{{draft.source}}}"
    yield "  key: email"
    yield "  fields:"
    for lead_field in FIELD_NAMES:
        if lead_field in draft.fields:
            value = _value(draft.fields[lead_field], draft.steps.get(lead_field))
            yield f"    {lead_field}: {value}  # {draft.why[lead_field]}"
    yield from _custom_lines(draft)
    if draft.tags is not None:
        split = preset.split if preset else ","
        value = f"{{column: {yaml_scalar(draft.tags)}, split: {yaml_scalar(split)}}}"
        yield f"  tags: [{value}]  # make them in Kartra first"
    yield from _consent_lines(draft, attested)
    if draft.newest is not None:
        yield f"  duplicates: {yaml_scalar(f'newest:{draft.newest}')}"
    if draft.suppress:
        yield "  suppress:"
        for source in draft.suppress:
            yield f"    - {{{source}, email: {yaml_scalar(draft.fields['email'])}}}"
    if draft.left_out:
        yield "# Left out:"
        for column, reason in draft.left_out.items():
            yield f"#   {_one_line(column)}: {reason}"


def _custom_lines(draft: Draft) -> Iterator[str]:
    if not draft.custom:
        return
    yield "  # Custom fields: take away the # of those you want."
    yield "  # create_custom_fields: true  # a run makes those that the account lacks, as texts"
    yield "  # custom_fields:"
    for column, why in list(draft.custom.items())[:CUSTOM_FIELDS_SHOWN]:
        identifier = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_") or "field"
        yield f"  #   {identifier}: {_value(column)}  # {why}"
    if len(draft.custom) > CUSTOM_FIELDS_SHOWN:
        yield f"  #   and {len(draft.custom) - CUSTOM_FIELDS_SHOWN} columns more"


def _consent_lines(draft: Draft, attested: str | None) -> Iterator[str]:
    if draft.status is not None:
        accepted = ", ".join(json.dumps(word, ensure_ascii=False) for word in draft.accepted)
        value = f"{{column: {yaml_scalar(draft.status)}, accepted: [{accepted}]}}"
        yield f"  consent: {value}  # nobody else is sent"
        return
    words = attested or (draft.accepted[0] if draft.accepted else None)
    if words is None:
        maybe = f'; or is it the column "{draft.yes_or_no[0]}"? --consent names it' if draft.yes_or_no else ""
        raise ConfigError(
            "no column says who agreed to be mailed: say where and when these people did, with"
            f' --attested "signed up on our site since 2024"{maybe}'
        )
    yield f"  consent: {{attested: {yaml_scalar(words)}}}"


def _value(column: str, step: str | None = None) -> str:
    """Braces in a text of their own would be a template."""
    if step is not None:
        return f"{{column: {yaml_scalar(column)}, do: [{step}]}}"
    return f"{{column: {yaml_scalar(column)}}}" if "{" in column or "}" in column else yaml_scalar(column)


def _one_line(text: str) -> str:
    return " ".join(text.split())
