"""The verbs on Kartra's own import: `export-import` writes files for it, `adopt` takes over what it made."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.options import FILE, common, print_json, read_file, start_log, stop_on_signals

if TYPE_CHECKING:  # pandas comes with them
    from pipelines.state.adoption import Standing
    from pipelines.verbs.adopt import Adoption
    from pipelines.verbs.export_import import ImportFiles
    from pipelines.verbs.verify_adoption import Verified

DONE, FAILED, PARTIAL = 0, 1, 3  # as in pipelines.cli.main
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
    type=click.Choice(["sequences", "points", "calendars"]),
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
@click.option("--show", is_flag=True, help="Show keys; without it they are masked.")
@common
def adopt(
    file: Path,
    *,
    verify_count: int,
    seed: int,
    owed: tuple[str, ...],
    whole_source: bool,
    undo: bool,
    show: bool,
    as_json: bool,
    verbose: int,
) -> None:
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
    start_log(verbose)
    if undo:
        _undo(file, as_json=as_json)
        return
    with stop_on_signals() as stop:
        from rich.console import Console

        from pipelines.cli.screens import progress_bar
        from pipelines.verbs.adopt import adopt_source

        config = read_file(file)
        with progress_bar(Console(stderr=True)) as progress:
            adoption = adopt_source(
                config,
                owed=owed,
                whole_source=whole_source,
                verify_count=verify_count,
                seed=seed,
                stopping=stop.asked,
                progress=progress,
            )
    if as_json:
        print_json(_adoption_json(adoption, show=show))
    else:
        for line in _adoption_lines(adoption, file, show=show):
            click.echo(line)
    if stop.number is not None:
        sys.exit(128 + stop.number)
    if adoption.verified is not None and adoption.verified.failed:
        sys.exit(FAILED)
    sys.exit(DONE if adoption.status == "succeeded" else PARTIAL)


def _undo(file: Path, *, as_json: bool) -> None:
    from pipelines.verbs.adopt import undo_adoption

    count = undo_adoption(read_file(file))
    if as_json:
        print_json({"undone": count})
    else:
        click.echo(f"{count:,} leads are no longer adopted: the next run sends them")


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
    from connectors.privacy import mask_address
    from pipelines.verbs.verify_adoption import told

    for lead in verified.differing:
        for one in lead.found:
            yield {
                "key": lead.key if show else mask_address(lead.key),
                "row": lead.row,
                "lead_id": lead.lead_id,
                "kind": one.kind,
                "name": one.name,
                "told": told(one),
            }


def _adoption_lines(adoption: Adoption, file: Path, *, show: bool) -> Iterator[str]:
    summary = adoption.summary
    yield f"{adoption.pipeline}: adopt {adoption.status} in {summary.seconds:.1f} s (run {adoption.run_id})"
    yield f"  rows   {summary.read:>8,} read"
    for count, words in (
        (summary.invalid, "invalid"),
        (summary.duplicate, "same key as another row"),
        (summary.blocked, "without consent, opted out or forgotten"),
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
    yield f"  looked at {verified.asked:,} leads in Kartra: {verified.same:,} just so"
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
    from collections import Counter

    from connectors.privacy import mask_address, mask_text
    from pipelines.verbs.verify_adoption import told

    kinds = Counter(told(one) for lead in verified.differing for one in lead.found)
    for words, count in kinds.most_common(SHOWN):
        yield f"  {count:>15,} × {mask_text(words)}"
    for lead in verified.differing[:SHOWN]:
        named = lead.key if show else mask_address(lead.key)
        row = f"row {lead.row}, " if lead.row is not None else ""
        yield f"    {row}{named}, lead {lead.lead_id}: {mask_text('; '.join(map(told, lead.found)))}"
    if len(verified.differing) > SHOWN:
        yield f"    and {len(verified.differing) - SHOWN:,} more: --json has them all"


@click.command(name="export-import", epilog="Example:  kartra-sync export-import newsletter.yaml --to import")
@click.argument("file", type=FILE)
@click.option("--to", "folder", type=FILE, required=True, help="The folder the files are written to.")
@click.option(
    "--all", "everything", is_flag=True, help="Also leads that Kartra has from us, without tags and lists."
)
@click.option("--replace", "replace_files", is_flag=True, help="Replace the files of an earlier export.")
@common
def export_import(
    file: Path, *, folder: Path, everything: bool, replace_files: bool, as_json: bool, verbose: int
) -> None:
    """Write new leads to files for Kartra's own import, which can carry consent: the API's leads never do.

    Numbered CSV files as that import takes them: fewer than 20,000 leads each, 55 columns and 255 characters
    a cell at most, names of tags and lists in letters, digits and spaces. What does not fit is listed with
    its row and the reason, exit 3, and is sent by the next run. The files hold personal data.

    Upload them in Kartra; once the import is approved, `adopt` takes the leads over without sending them.
    """
    start_log(verbose)
    with stop_on_signals() as stop:
        from rich.console import Console

        from pipelines.cli.screens import progress_bar
        from pipelines.verbs.export_import import export_import as write_files

        config = read_file(file)
        with progress_bar(Console(stderr=True)) as progress:
            written = write_files(
                config,
                folder,
                everything=everything,
                replace_files=replace_files,
                stopping=stop.asked,
                progress=progress,
            )
    if as_json:
        print_json(_files_json(written))
    else:
        for line in _files_lines(written, file):
            click.echo(line)
    if stop.number is not None:
        sys.exit(128 + stop.number)
    sys.exit(DONE if written.status == "succeeded" else PARTIAL)


def _files_json(written: ImportFiles) -> dict[str, Any]:
    counted = written.summary.to_json()
    return {
        "run_id": written.run_id,
        "pipeline": written.pipeline,
        "status": written.status,
        "rows": counted["rows"],
        "leads": counted["leads"],
        "files": [{"file": str(path), "leads": count} for path, count in written.files],
        "columns": list(written.columns),
        "written": written.leads,
        "known": written.known,
        "misfits": written.misfits,
        "left_out": str(written.left_out) if written.left_out else None,
        "not_carried": list(written.not_carried),
        "seconds": counted["seconds"],
    }


def _files_lines(written: ImportFiles, file: Path) -> Iterator[str]:
    summary = written.summary
    took = f"in {summary.seconds:.1f} s (run {written.run_id})"
    yield f"{written.pipeline}: export-import {written.status} {took}"
    yield f"  rows   {summary.read:>8,} read"
    for count, words in (
        (summary.invalid, "invalid"),
        (summary.duplicate, "same key as another row"),
        (summary.blocked, "without consent, opted out or forgotten"),
        (written.known, "in Kartra already: left out"),
        (written.misfits, "do not fit the import: the next run sends them"),
    ):
        if count:
            yield f"  {count:>15,} {words}"
    for path, count in written.files:
        yield f"  {count:>15,} leads in {path}"
    if written.left_out is not None:
        yield f"  why not the others: {written.left_out}"
    if not written.files:
        yield "  nothing to import"
        return
    if written.not_carried:
        missing = ", ".join(written.not_carried)
        yield f"  note: the files carry no {missing}; adopt --owed has the next run give them"
    yield "  next: upload the files in Kartra (Contacts, Imports), match the columns, answer its questions."
    yield f"        Once it is approved: kartra-sync adopt {file} --verify 100"
