"""The verb `export-import`: files for Kartra's own import."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pipelines.cli.exits import DONE, PARTIAL
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines
from pipelines.cli.progress import progress_bar
from pipelines.cli.signals import Stop
from pipelines.verbs.export_import import ImportFiles
from pipelines.verbs.export_import import export_import as write_files


@click.command(name="export-import", epilog="Example:  kartra-sync export-import newsletter.yaml --to import")
@click.argument("file", type=FILE)
@click.option("--to", "folder", type=FILE, required=True, help="The folder the files are written to.")
@click.option(
    "--all", "everything", is_flag=True, help="Also leads that Kartra has from us, without tags and lists."
)
@click.option("--exact", is_flag=True, help="Also what a spreadsheet that opens a file would carry out.")
@click.option("--replace", "replace_files", is_flag=True, help="Replace the files of an earlier export.")
@common
@click.pass_obj
def export_import(
    stop: Stop,
    file: Path,
    *,
    folder: Path,
    everything: bool,
    exact: bool,
    replace_files: bool,
    as_json: bool,
) -> int:
    """Write new leads to files for Kartra's own import, which can carry consent: the API's leads never do.

    Numbered CSV files as that import takes them: fewer than 20,000 leads each, 55 columns and 255 characters
    a cell at most, names of tags and lists in letters, digits and spaces. What does not fit is listed with
    its row and the reason, exit 3, and is sent by the next run. The files hold personal data.

    Upload them in Kartra; once the import is approved, `adopt` takes the leads over without sending them.
    """
    config = read_file(file)
    with progress_bar() as progress:
        written = write_files(
            config,
            folder,
            everything=everything,
            exact=exact,
            replace_files=replace_files,
            stopping=stop.asked,
            progress=progress,
        )
    if as_json:
        print_json(_json(written))
    else:
        print_lines(_lines(written, file))
    return stop.code(DONE if written.status == "succeeded" else PARTIAL)


def _json(written: ImportFiles) -> dict[str, Any]:
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


def _lines(written: ImportFiles, file: Path) -> Iterator[str]:
    summary = written.summary
    took = f"in {summary.seconds:.1f} s (run {written.run_id})"
    yield f"{written.pipeline}: export-import {written.status} {took}"
    yield f"  rows   {summary.counts.read:>8,} read"
    for count, words in (
        (summary.counts.invalid, "invalid"),
        (summary.counts.duplicate, "same key as another row"),
        (summary.counts.blocked, "without consent, opted out or forgotten"),
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
