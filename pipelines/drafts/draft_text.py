"""Writes the pipeline file of a draft, with the reason beside each line.

It holds no personal data: only names of columns and the words of the consent column. Columns left out are
listed with the reason.
"""

import json
import re
import unicodedata
from collections.abc import Iterator

from connectors.errors import ConfigError
from connectors.kartra.transport import KARTRA_URL
from pipelines.drafts.draft import Draft
from pipelines.drafts.headers import FIELD_NAMES
from pipelines.drafts.named_source import yaml_scalar

CUSTOM_FIELDS_SHOWN = 40
MOST_TRIGGERED = 1_000
"""Leads that get the same thing in one run before a person has to agree: as many as one can explain to."""
SCHEMA = "# yaml-language-server: $schema=kartra-sync.schema.json"
"""The line by which editors find the schema, which `kartra-sync schema` prints."""


def pipeline_text(draft: Draft, name: str, attested: str | None, url: str = KARTRA_URL) -> str:
    """The pipeline file; `url` is its default. Raises ConfigError if nothing says that these people
    agreed."""
    return "\n".join(_lines(draft, name, attested, url)) + "\n"


def _lines(draft: Draft, name: str, attested: str | None, url: str) -> Iterator[str]:
    yield SCHEMA
    yield from _remarks(draft)
    yield f"pipeline: {name}"
    yield "kartra:"
    yield "  app_id: ${KARTRA_APP_ID}          # from the environment, or from a file .env beside this one"
    yield "  api_key: ${KARTRA_API_KEY}"
    yield "  api_password: ${KARTRA_API_PASSWORD}"
    remark = "" if url == KARTRA_URL else f"  # a sandbox; Kartra itself: {KARTRA_URL}"
    yield f"  url: ${{KARTRA_URL:-{url}}}{remark}"
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
        yield f"  tags: [{_tags(draft, draft.tags)}]  # make them in Kartra first"
    yield "  lists: []  # names of lists in Kartra that these people are put on"
    yield from _consent_lines(draft, attested)
    if draft.opt_outs:
        names = ", ".join(map(_one_line, draft.opt_outs))
        yield f"  # These columns say who opted out, and need no mapping: {names}."
    if draft.other_status:
        silent = ", ".join(f"{{column: {yaml_scalar(one)}, allowed: any}}" for one in draft.other_status)
        yield f"  opt_out: [{silent}]  # it says nothing about mail"
    if draft.newest is not None:
        yield f"  duplicates: {yaml_scalar(f'newest:{draft.newest}')}"
    yield from _guard_lines(draft)
    if draft.suppress:
        yield "  suppress:"
        for source in draft.suppress:
            yield f"    - {{{source}, email: {yaml_scalar(draft.fields['email'])}}}"
    if draft.left_out:
        yield "# Left out:"
        for column, reason in draft.left_out.items():
            yield f"#   {_one_line(column)}: {reason}"


def _remarks(draft: Draft) -> Iterator[str]:
    preset = draft.preset
    if preset is not None:
        how = {"C": "likely", "A/B": "sure"}.get(preset.sure, "sure")
        yield f"# An export of {preset.name}, by its header ({how})."
    else:
        yield "# Not a known export: the columns were recognised by their names and values. Check them once."
    yield "# Then:  kartra-sync check, plan and run with this file."


def _guard_lines(draft: Draft) -> Iterator[str]:
    """Guards, because a source that shrinks is more often a broken export than the truth."""
    fewest = max(1, draft.rows // 2)
    triggered = f"max_triggered: {MOST_TRIGGERED}"
    yield "  # What stops a run. The last: a tag or list for more leads needs a yes, for it can send mail."
    yield f"  guards: {{min_rows: {fewest}, max_removed: 5%, max_failed: 5%, {triggered}}}"


def _custom_lines(draft: Draft) -> Iterator[str]:
    if not draft.custom:
        return
    yield "  # Custom fields: take away the # of those you want."
    yield "  # create_custom_fields: true  # a run makes those that the account lacks, as texts"
    yield "  # custom_fields:"
    taken: set[str] = set()
    for column, why in list(draft.custom.items())[:CUSTOM_FIELDS_SHOWN]:
        yield f"  #   {_identifier(column, taken)}: {_value(column)}  # {why}"
    if len(draft.custom) > CUSTOM_FIELDS_SHOWN:
        yield f"  #   and {len(draft.custom) - CUSTOM_FIELDS_SHOWN} columns more"


def _identifier(column: str, taken: set[str]) -> str:
    # Kartra takes letters, digits, dashes and underscores alone (263, §5.4).
    base = re.sub(r"[^a-z0-9]+", "_", _without_accents(column).lower()).strip("_") or "field"
    identifier, number = base, 1
    while identifier in taken:
        number += 1
        identifier = f"{base}_{number}"
    taken.add(identifier)
    return identifier


def _without_accents(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))


def _tags(draft: Draft, column: str) -> str:
    preset = draft.preset
    split = yaml_scalar(preset.split if preset else ",")
    if preset is None or not preset.no_tags:
        return f"{{column: {yaml_scalar(column)}, split: {split}}}"
    nothing = ", ".join(f'{yaml_scalar(word)}: ""' for word in preset.no_tags)
    return f"{{column: {yaml_scalar(column)}, do: [{{split: {split}}}, {{map: {{{nothing}}}, else: keep}}]}}"


def _consent_lines(draft: Draft, attested: str | None) -> Iterator[str]:
    if draft.status is not None:
        # Quoted as in JSON: bare, yes and no would be true and false to YAML.
        accepted = ", ".join(json.dumps(word, ensure_ascii=False) for word in draft.accepted)
        yield from _word_lines(draft)
        value = f"{{column: {yaml_scalar(draft.status)}, accepted: [{accepted}]}}"
        yield f"  consent: {value}  # nobody else is sent"
        return
    if attested is None and draft.maybe_consent is not None:
        column, yes = draft.maybe_consent
        accepted = ", ".join(json.dumps(word, ensure_ascii=False) for word in yes)
        yield f"  consent: {{column: {yaml_scalar(column)}, accepted: [{accepted}]}}  # nobody else is sent"
        return
    words = attested or (draft.accepted[0] if draft.accepted else None)
    if words is None:
        maybe = f'; or is it the column "{draft.yes_or_no[0]}"? --consent names it' if draft.yes_or_no else ""
        raise ConfigError(
            "no column says who agreed to be mailed: say where and when these people did, with"
            f' --attested "signed up on our site since 2024"{maybe}'
        )
    yield f"  consent: {{attested: {yaml_scalar(words)}}}"


def _word_lines(draft: Draft) -> Iterator[str]:
    """The words of the column of consent, so that a person sees what else may mean consent there."""
    # An address or five digits may be a person's, and the file is to hold nothing of people.
    words = {word: count for word, count in draft.words.items() if not re.search(r"@|(?:\d\W?){5}", word)}
    if not words:
        return
    ordered = sorted(words.items(), key=lambda one: (-one[1], one[0]))
    shown = ", ".join(
        f"{json.dumps(_one_line(word), ensure_ascii=False)} {count:,}" for word, count in ordered
    )
    yield f"  # It says: {shown}. Add to `accepted` what means consent."


def _value(column: str, step: str | None = None) -> str:
    """Braces in a text of their own would be a template."""
    if step is not None:
        return f"{{column: {yaml_scalar(column)}, do: [{step}]}}"
    return f"{{column: {yaml_scalar(column)}}}" if "{" in column or "}" in column else yaml_scalar(column)


def _one_line(text: str) -> str:
    return " ".join(text.split())
