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
from connectors.sources.places import member_names
from pipelines.config_source import SOURCE_OPTIONS, SourceConfig
from pipelines.inspection import ColumnProfile, Profile, profile_of
from pipelines.presets import (
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
from pipelines.source import open_source

PROFILED_ROWS = 20_000
SUFFIXES = {
    **dict.fromkeys((".csv", ".tsv", ".txt", ".zip"), "csv"),
    **dict.fromkeys((".xlsx", ".xlsm"), "excel"),
    ".parquet": "parquet",
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
}
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


def draft_pipeline(path: Path, folder: Path) -> Draft:
    """Of a file, whose place is written as seen from `folder`. Raises ConfigError, SourceError."""
    kind = _kind(path)
    member = _subscribed_member(path)
    source = open_file(path)
    profile = profile_of(source, rows=PROFILED_ROWS)
    preset = preset_of(source.columns)
    draft = Draft(_written_source(kind, path, folder, member), preset)
    _map_columns(draft, profile, source)
    _find_consent(draft, profile, path, member)
    if member is not None:
        draft.suppress = [
            _written_source(kind, path, folder, other)
            for other in ("unsubscribed*", "cleaned*")
            if _has_member(path, other)
        ]
    return draft


def pipeline_text(draft: Draft, name: str, attested: str | None) -> str:
    """The pipeline file. Raises ConfigError where nothing says that these people agreed."""
    return "\n".join(_lines(draft, name, attested)) + "\n"


def pipeline_name(path: Path) -> str:
    name = re.sub(r"[^a-z0-9_-]+", "_", path.name.partition(".")[0].lower()).strip("_")
    return name[:64] or "contacts"


def open_file(path: Path) -> Source:
    """The contacts in a file, of the kind that its name says. Raises ConfigError, SourceError."""
    kind, member = _kind(path), _subscribed_member(path)
    options = {"path": path, **({"member": member} if member is not None else {})}
    return open_source(SourceConfig(kind=kind, options=SOURCE_OPTIONS[kind].model_validate(options)))


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    kind = SUFFIXES.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise ConfigError(f"{path.name}: a file that ends in one of {', '.join(SUFFIXES)} is expected")
    return kind


def _subscribed_member(path: Path) -> str | None:
    """Mailchimp's archive has a file for each status."""
    return "subscribed*" if path.suffix.lower() == ".zip" and _has_member(path, "subscribed*") else None


def _has_member(path: Path, glob: str) -> bool:
    return any(Path(name).name.startswith(glob.removesuffix("*")) for name in member_names(path))


def _written_source(kind: str, path: Path, folder: Path, member: str | None) -> str:
    try:
        place = str(path.absolute().relative_to(folder.absolute()))
    except ValueError:
        place = str(path.absolute())
    if member is None:
        return f"{{{kind}: {_yaml(place)}}}"
    return f"{{{kind}: {{path: {_yaml(place)}, member: {_yaml(member)}}}}}"


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
            draft.why[lead_field] = "sure: by its name"
        elif known in TAG_NAMES and draft.tags is None:
            draft.tags = column.name
        else:
            draft.custom[column.name] = _filled(column, profile.rows)
    if draft.fields.keys().isdisjoint(("first_name", "last_name")):
        _take_apart_names(draft)
    if "email" not in draft.fields:
        _find_address(draft, profile)


def _take_apart_names(draft: Draft) -> None:
    column = next((one for one in draft.custom if _one_line(one).casefold() in NAME_NAMES), None)
    if column is None:
        return
    del draft.custom[column]
    for lead_field, part in (("first_name", "first"), ("last_name", "last")):
        draft.fields[lead_field], draft.steps[lead_field] = column, f"{{name: {part}}}"
        draft.why[lead_field] = "likely: the column holds full names"


def _find_address(draft: Draft, profile: Profile) -> None:
    candidates = [column for column in profile.columns if column.share("address") > 0.5]
    if not candidates:
        raise ConfigError("no column holds e-mail addresses: Kartra knows people by them")
    best = max(candidates, key=lambda column: (column.share("address"), column.filled))
    draft.fields = {"email": best.name, **draft.fields}
    draft.why["email"] = f"likely: {best.share('address'):.0%} of its cells are addresses"
    draft.custom.pop(best.name, None)


def _find_consent(draft: Draft, profile: Profile, path: Path, member: str | None) -> None:
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
    elif preset and preset.status_in_name and (member or path.name.startswith("subscribed")):
        draft.accepted = (f"exported by {preset.name} as subscribed",)
    if preset and preset.newest and preset.newest.casefold() in by_fold:
        draft.newest = by_fold[preset.newest.casefold()]


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
    yield f"  source: {draft.source}"
    yield "  key: email"
    yield "  fields:"
    for lead_field in FIELD_NAMES:
        if lead_field in draft.fields:
            value = _value(draft.fields[lead_field], draft.steps.get(lead_field))
            yield f"    {lead_field}: {value}  # {draft.why[lead_field]}"
    yield from _custom_lines(draft)
    if draft.tags is not None:
        split = preset.split if preset else ","
        yield f"  tags: [{{column: {_yaml(draft.tags)}, split: {_yaml(split)}}}]  # make them in Kartra first"
    yield from _consent_lines(draft, attested)
    if draft.newest is not None:
        yield f"  duplicates: {_yaml(f'newest:{draft.newest}')}"
    if draft.suppress:
        yield "  suppress:"
        for source in draft.suppress:
            yield f"    - {source[:-1]}, email: {_yaml(draft.fields['email'])}}}"
    if draft.left_out:
        yield "# Left out:"
        for column, reason in draft.left_out.items():
            yield f"#   {_one_line(column)}: {reason}"


def _custom_lines(draft: Draft) -> Iterator[str]:
    if not draft.custom:
        return
    yield "  # Make these custom fields in Kartra first, then take away the # of those you want:"
    yield "  # custom_fields:"
    for column, why in list(draft.custom.items())[:CUSTOM_FIELDS_SHOWN]:
        identifier = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_") or "field"
        yield f"  #   {identifier}: {_value(column)}  # {why}"
    if len(draft.custom) > CUSTOM_FIELDS_SHOWN:
        yield f"  #   and {len(draft.custom) - CUSTOM_FIELDS_SHOWN} columns more"


def _consent_lines(draft: Draft, attested: str | None) -> Iterator[str]:
    if draft.status is not None:
        accepted = ", ".join(json.dumps(word, ensure_ascii=False) for word in draft.accepted)
        yield f"  consent: {{column: {_yaml(draft.status)}, accepted: [{accepted}]}}  # nobody else is sent"
        return
    words = attested or (draft.accepted[0] if draft.accepted else None)
    if words is None:
        raise ConfigError(
            "no column says who agreed to be mailed: say where and when these people did, with"
            ' --attested "signed up on our site since 2024"'
        )
    yield f"  consent: {{attested: {_yaml(words)}}}"


def _value(column: str, step: str | None = None) -> str:
    """Braces in a text of their own would be a template."""
    if step is not None:
        return f"{{column: {_yaml(column)}, do: [{step}]}}"
    return f"{{column: {_yaml(column)}}}" if "{" in column or "}" in column else _yaml(column)


def _yaml(text: str) -> str:
    """A scalar that YAML and the variables of a pipeline leave alone."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*", text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)


_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))


def _one_line(text: str) -> str:
    return " ".join(text.split())
