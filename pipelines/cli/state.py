"""The verb `state`: what a person does with the state file itself."""

import sys
from pathlib import Path

import click

from connectors.privacy import mask_address
from pipelines.cli.exits import DONE, FAILED
from pipelines.cli.files import read_one
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines
from pipelines.verbs.forget import forget as forget_person
from pipelines.verbs.identity import take_over as take_over_known
from pipelines.verbs.state import back_up, move
from pipelines.verbs.state import verify as verify_state
from pipelines.words.numbers import counted


@click.group(epilog="Example:  kartra-sync state backup newsletter.yaml")
def state() -> None:
    """Look after the state file: copy it, check it, erase a person."""


@state.command(epilog="Example:  kartra-sync state backup newsletter.yaml --to kartra.backup")
@click.argument("file", required=False, type=FILE)
@click.option(
    "--to",
    "target",
    type=FILE,
    help="A new file, or a folder; without it, beside the state. Nothing is overwritten.",
)
@common
def backup(file: Path | None, *, target: Path | None, as_json: bool) -> None:
    """Copy the state, whole, also while a run goes on. Like the state, the copy holds personal data."""
    config = read_one(file)
    copy = back_up(config, target)
    if as_json:
        print_json({"state": str(config.state), "backup": str(copy), "bytes": copy.stat().st_size})
    else:
        print_lines([f"{config.state} copied to {copy}"])


@state.command(epilog="Example:  kartra-sync state verify newsletter.yaml")
@click.argument("file", required=False, type=FILE)
@common
def verify(file: Path | None, *, as_json: bool) -> int:
    """Is the state whole? Every page, reference and text of it is read."""
    found = verify_state(read_one(file))
    if as_json:
        print_json(
            {
                "ok": not found.problems,
                "state": str(found.state),
                "leads": found.leads,
                "problems": found.problems,
                "notes": found.notes,
                "backups": [str(one) for one in found.backups],
            }
        )
    elif found.problems:
        for problem in found.problems:
            print_lines([f"{found.state}: {problem}"])
        print_lines([_advice(found.backups)])
    else:
        print_lines(["; ".join([f"{found.state}: whole, {counted(found.leads, 'lead')}", *found.notes])])
    return FAILED if found.problems else DONE


@state.command(epilog="Example:  kartra-sync state copy state/kartra.db 'postgresql://kartra:${PGPW}@db/crm'")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@common
def copy(source: str, target: str, *, as_json: bool) -> None:
    """Move a state between a file and a PostgreSQL server, either way, losing nothing.

    FROM and TO are addresses as in `state:`, or a pipeline file, whose state is meant. ${NAME} comes from
    the environment. TO has to be empty, and nobody may be running a pipeline of FROM; all of it arrives, or
    nothing. Write TO into the pipeline files then: FROM counts as an old copy from there on.
    """
    moved = move(source, target)
    if as_json:
        print_json({"from": moved.source, "to": moved.target, "rows": moved.rows})
    else:
        click.echo(f"{moved.source} copied to {moved.target}: {sum(moved.rows.values()):,} rows")


@state.command("take-over", epilog="Example:  kartra-sync state take-over newsletter.yaml")
@click.argument("file", required=False, type=FILE)
@click.option("--from", "source", metavar="PIPELINE", help="Its name before, where it was renamed.")
@common
def take_over(file: Path | None, *, source: str | None, as_json: bool) -> None:
    """Say that what is known belongs to this file: the account, or the pipeline, is the same.

    For a renewed key, another URL, name or mode where a run has stopped because it cannot tell. Nothing is
    sent.
    """
    config = read_one(file)
    taken = take_over_known(config, source)
    if as_json:
        print_json({"pipeline": config.pipeline, "state": str(config.state), "message": taken})
    else:
        print_lines([taken])


@state.command(epilog="Example:  kartra-sync state forget newsletter.yaml ann@example.org")
@click.argument("words", nargs=-1, required=True, metavar="[FILE] KEY")
@click.option("--yes", is_flag=True, help="Do not ask; on a terminal you are asked without it.")
@common
def forget(words: tuple[str, ...], *, yes: bool, as_json: bool) -> None:
    """Erase a person from the state file, in all its pipelines, and never send them again.

    KEY is the person's key or address. A salted hash of it stays, by which the person is known again. From
    the tables of a pull the person goes as well; what they bought stays, without a name.
    """
    if len(words) > 2:
        raise click.UsageError("a pipeline file and one KEY are expected")
    *files, key = words
    config = read_one(Path(files[0]) if files else None)
    shown = mask_address(key.strip())
    if not yes and sys.stdin.isatty():
        click.confirm(
            f"Erase {shown} from {config.state}, in all its pipelines, for good?", abort=True, err=True
        )
    gone = forget_person(config, key)
    still = [
        "Kartra's own lead: delete it in Kartra",
        "the source: its row is not sent any more, delete it there",
        *(f"the backup {one}" for one in gone.backups),
        *(f"{one}: delete it, or have it written again" for one in gone.files),
        *(["what other people's records in the state say: a note with the address, say"] * gone.is_named),
        *(f"files of {one}, perhaps: there are too many to look through" for one in gone.unread),
        *([f"the database server {gone.server}, until it cleans up, and its backups"] * bool(gone.server)),
        "copies made elsewhere",
    ]
    if as_json:
        print_json(
            {
                "state": str(gone.state),
                "key": shown,
                "pipelines": gone.pipelines,
                "erased": gone.rows,
                "backups": [str(one) for one in gone.backups],
                "files": [str(one) for one in gone.files],
                "still_held_by": still,
            }
        )
        return
    erased = ", ".join(f"{count:,} of {table}" for table, count in gone.rows.items() if count)
    print_lines([f"{shown} is forgotten: {f'erased {erased}' if erased else 'nothing was known here'}"])
    print_lines(["Never sent again from this state file. The person is still in"])
    for one in still:
        print_lines([f"  {one}"])


def _advice(backups: list[Path]) -> str:
    named = f" ({', '.join(str(one) for one in backups)})" if backups else ""
    return (
        f"Put a backup in its place{named}, or move the file away: nothing breaks, but each lead then costs"
        " up to three calls once. In both cases forget again whoever was forgotten since."
    )
