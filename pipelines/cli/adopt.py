"""The verb `adopt`: takes over what Kartra's own import made."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import click

from connectors.privacy import mask_address, mask_text
from pipelines.cli.exits import DONE, FAILED, PARTIAL
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines
from pipelines.cli.progress import progress_bar
from pipelines.cli.signals import Stop
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.wishes import OnceOnly
from pipelines.state.adoption import Standing
from pipelines.verbs.adopt import Adoption, adopt_source, undo_adoption
from pipelines.verbs.identity import Choices
from pipelines.verbs.verify_adoption import Verified, message_of
from pipelines.words.numbers import counted

SHOWN = 10
"""Leads that differ, on screen."""
SUSPICIOUS_SHARE = 0.5
"""With more unknown leads than that among those asked for, the import itself is in doubt."""

_LEFT: Mapping[Standing, str] = {
    "changed": "known, and their record asks for something else",
    "unknown": "a call for them has no outcome yet",
    "shared": "with the address of another record",
    "not_imported": "not in the files of export-import, or changed since",
}


@click.command(epilog="Example:  kartra-sync adopt newsletter.yaml --verify 100")
@click.argument("file", type=FILE)
@click.option(
    "--verify",
    "verify_count",
    default=0,
    type=click.IntRange(0, 10_000_000),
    metavar="N",
    help="Then read N of these leads from Kartra, one call each, and compare.",
)
@click.option(
    "--seed", default=0, show_default=True, type=int, help="Which N: the same seed, the same leads."
)
@click.option(
    "--owed",
    multiple=True,
    type=click.Choice(get_args(OnceOnly)),
    help="Kartra has not given these yet, the next run does; can be repeated. Else they count as given.",
)
@click.option(
    "--whole-source",
    is_flag=True,
    help="After export-import: also records that it did not write as they are.",
)
@click.option(
    "--undo", is_flag=True, help="Forget what was adopted and not sent to since: the next run sends it."
)
@click.option("--new-account", is_flag=True, help="The account or its mode is another one: begin anew in it.")
@click.option("--show", is_flag=True, help="Show keys; without it they are masked.")
@common
@click.pass_obj
def adopt(
    stop: Stop,
    file: Path,
    *,
    verify_count: int,
    seed: int,
    owed: tuple[str, ...],
    whole_source: bool,
    undo: bool,
    new_account: bool,
    show: bool,
    as_json: bool,
) -> int:
    """Record the source as in Kartra already, without sending it: after Kartra's own import of the file.

    Leads known before stay as they are. After export-import, only what its files hold is taken over, as they
    hold it. Fields, tags and lists count as they stand in the source; later changes are sent as ever.

    Sequences, points and classes count as given, too: an import gives none by itself, but its dialog can
    start sequences, and nothing would take a second start back. If it did not, say --owed.

    With --verify, a lead that Kartra does not know is not adopted: the next run sends it. Exit 3 when one is
    unknown or differs.
    """
    if undo and (verify_count or owed or whole_source):
        raise click.UsageError("--undo stands alone")
    config = read_file(file)
    if undo:
        return _undo(config, as_json=as_json)
    with progress_bar() as progress:
        adoption = adopt_source(
            config,
            owed=owed,
            whole_source=whole_source,
            verify_count=verify_count,
            seed=seed,
            choices=Choices(new_account=new_account),
            stopping=stop.asked,
            progress=progress,
        )
    if as_json:
        print_json(_adoption_json(adoption, show=show))
    else:
        print_lines(_adoption_lines(adoption, file, show=show))
    return stop.code(_code(adoption))


def _code(adoption: Adoption) -> int:
    # Leads without a usable answer may give one next time, so it is 1, safe to repeat, and not 3.
    if adoption.verified is not None and adoption.verified.failed:
        return FAILED
    return DONE if adoption.status == "succeeded" else PARTIAL


def _undo(config: PipelineConfig, *, as_json: bool) -> int:
    count = undo_adoption(config)
    if as_json:
        print_json({"undone": count})
    else:
        print_lines([f"{counted(count, 'lead')} no longer adopted: sent by the next run"])
    return DONE


def _adoption_json(adoption: Adoption, *, show: bool) -> dict[str, Any]:
    counted = adoption.summary.to_json()
    verified = adoption.verified
    return {
        "run_id": adoption.run_id,
        "pipeline": adoption.pipeline,
        "status": adoption.status,
        "rows": counted["rows"],
        "leads": counted["leads"],
        "adopted": adoption.adopted,
        "known": adoption.known,
        "left": {name: adoption.left[name] for name in _LEFT},
        "in_import_files": adoption.imported or None,
        "given": list(adoption.given),
        "owed": list(adoption.owed),
        "verified": None
        if verified is None
        else {
            "asked": verified.asked,
            "same": verified.same,
            "differing": len(verified.differing),
            "unknown": verified.unknown,
            "deleted": verified.deleted,
            "failed": verified.failed,
            "differences": list(_differences(verified, show=show)),
        },
        "calls": counted["calls"],
        "seconds": counted["seconds"],
    }


def _differences(verified: Verified, *, show: bool) -> Iterator[dict[str, Any]]:
    for lead in verified.differing:
        for one in lead.found:
            yield {
                "key": lead.key if show else mask_address(lead.key),
                "row": lead.row,
                "lead_id": lead.lead_id,
                "kind": one.kind,
                "name": one.name,
                "told": message_of(one),
            }


def _adoption_lines(adoption: Adoption, file: Path, *, show: bool) -> Iterator[str]:
    summary = adoption.summary
    status = "done, but not for every row," if adoption.status == "partial" else adoption.status
    yield f"{adoption.pipeline}: adopt {status} in {summary.seconds:.1f} s (run {adoption.run_id})"
    yield f"  rows   {summary.counts.read:>8,} read"
    for count, words in (
        (summary.counts.invalid, "invalid"),
        (summary.counts.duplicate, "same key as another row"),
        (summary.counts.blocked, "without consent, opted out or forgotten"),
    ):
        if count:
            yield f"  {count:>15,} {words}"
    yield f"  leads  {adoption.adopted:>8,} adopted: they count as they stand in the source, nothing was sent"
    if adoption.known:
        yield f"  {adoption.known:>15,} known already, just so"
    for name, words in _LEFT.items():
        if count := adoption.left[name]:
            yield f"  {count:>15,} left to the next run: {words}"
    if adoption.given:
        once = ", ".join(adoption.given)
        yield f"  note: {once} count as given and are not given again; if Kartra has not given them:"
        owed = " ".join(f"--owed {kind}" for kind in adoption.given)
        yield f"        kartra-sync adopt {file} --undo, then kartra-sync adopt {file} {owed}"
    if adoption.owed:
        yield f"  note: the next run gives {', '.join(adoption.owed)}"
    if adoption.verified is not None:
        yield from _verified_lines(adoption.verified, file, show=show)
    elif adoption.adopted:
        yield f"  next: kartra-sync adopt {file} --verify 100 compares 100 of them with Kartra"


def _verified_lines(verified: Verified, file: Path, *, show: bool) -> Iterator[str]:
    yield f"  looked at {counted(verified.asked, 'lead')} in Kartra: {verified.same:,} just so"
    for count, words in (
        (len(verified.differing), "differ"),
        (verified.unknown, "unknown to Kartra: no longer adopted, the next run sends them"),
        (verified.deleted, "deleted in Kartra"),
        (verified.failed, "gave no usable answer: look again later"),
    ):
        if count:
            yield f"  {count:>15,} {words}"
    yield from _differing_lines(verified, show=show)
    if verified.unknown > SUSPICIOUS_SHARE * verified.asked:
        yield "  Has Kartra approved the import? If not, take everything back until it has:"
        yield f"        kartra-sync adopt {file} --undo"


def _differing_lines(verified: Verified, *, show: bool) -> Iterator[str]:
    kinds = Counter(message_of(one) for lead in verified.differing for one in lead.found)
    for words, count in kinds.most_common(SHOWN):
        yield f"  {count:>15,} × {mask_text(words)}"
    for lead in verified.differing[:SHOWN]:
        named = lead.key if show else mask_address(lead.key)
        row = f"row {lead.row}, " if lead.row is not None else ""
        yield f"    {row}{named}, lead {lead.lead_id}: {mask_text('; '.join(map(message_of, lead.found)))}"
    if len(verified.differing) > SHOWN:
        yield f"    and {len(verified.differing) - SHOWN:,} more: --json has them all"
