"""The verb `show`: what a run did, on the terminal or as a page."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from pipelines.cli.files import quoted, read_file, target_of
from pipelines.cli.options import FILE, REPLACE, common
from pipelines.cli.output import print_json, print_lines, tell
from pipelines.pages.run_page import Count, RunReport
from pipelines.verbs.show import report_of, write_page

SHOWN = 20
"""Rows on a terminal; the page has more, and the verb `outcomes` all of them."""


@click.command(epilog="Example:  kartra-sync show newsletter.yaml --html newsletter.html")
@click.argument("file", type=FILE)
@click.argument("run", required=False)
@click.option("--html", "html_file", metavar="PAGE", help="Write one self-contained page, or - for stdout.")
@click.option("--show", "unmasked", is_flag=True, help="Show keys; without it they are masked.")
@REPLACE
@common
def show(
    file: Path, run: str | None, *, html_file: str | None, unmasked: bool, replace: bool, as_json: bool
) -> None:
    """What a run did: what came in, what was sent, who did not get through and why, what to do next.

    Of the last run, or of RUN: its number or the beginning of it.
    """
    config = read_file(file)
    if html_file == "-" and as_json:
        raise click.UsageError("--html needs a file with --json")
    target = target_of(html_file, config, replace=replace) if html_file else None
    report = report_of(config, run, show=unmasked)
    if html_file:
        write_page(report, target)
    if as_json:
        print_json({**asdict(report), **({"page": html_file} if html_file else {})})
    elif not html_file:
        print_lines(_lines(report))
    elif target is not None:
        tell(f"{quoted(target.absolute())} written: open it in a browser")


def _lines(report: RunReport) -> Iterator[str]:
    account = f", account {report.account}" if report.account else ""
    yield f"{report.pipeline}: {report.status}{account}, {report.began} UTC, {report.seconds:.1f} s"
    yield f"  run {report.run_id}"
    if report.message:
        yield f"  {report.message}"
    yield from _counts("records", report.rows)
    if report.rows:
        yield f"  {report.accounted:>10,} {report.read_in_words}"
    for title, counts in (
        ("sent", report.sent),
        ("calls", report.calls),
        ("why not", report.reasons),
    ):
        yield from _counts(title, counts)
    for each in report.not_sent[:SHOWN]:
        row = f"row {each.row}" if each.row is not None else "no row"
        yield f"  {row}, {each.who or 'no key'}: {each.outcome}: {each.reason}"
    if report.not_sent_count > SHOWN:
        yield f"  and {report.not_sent_count - SHOWN:,} more"
    for step in report.next_steps:
        yield f"  {step}"


def _counts(title: str, counts: tuple[Count, ...]) -> Iterator[str]:
    if counts:
        yield f"  {title}"
    for count in counts:
        yield f"  {count.number:>10,} {count.words}"
