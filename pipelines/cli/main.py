"""The command: one verb per subcommand. Results go to stdout, logs and progress to stderr.

The verbs import what they need when they run: pandas alone takes half a second, and `--help` needs none.
"""

import gc
import logging
import os
import signal
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import click

from connectors.errors import ConfigError, SyncError
from pipelines.cli.adopt import adopt, export_import
from pipelines.cli.call import call
from pipelines.cli.drift import drift
from pipelines.cli.errors import errors
from pipelines.cli.export import export, reconcile
from pipelines.cli.init import init, inspect
from pipelines.cli.options import (
    FILE,
    common,
    print_json,
    print_json_rows,
    read_file,
    read_files,
    start_log,
    stop_on_signals,
)
from pipelines.cli.reports import report, reports
from pipelines.cli.state import state
from pipelines.errors import GuardError, LockedError

DONE, FAILED, USAGE, PARTIAL, GUARDED, LOCKED, BUG = 0, 1, 2, 3, 4, 5, 70
"""Exit codes: done · failed, safe to run again · usage or configuration · done, some leads refused ·
stopped by a guard · another run holds the lock · a bug of ours. Signals: 128 + their number."""

_ROWS_OF_A_TABLE = 1_000
"""The columns of a longer one are not as wide all the way: it is printed as several."""
GARBAGE_AFTER = 10_000
"""New objects between two looks for cycles of garbage. Records by the million are none, and with Python's own
number, 700, a quarter of the time goes into looking through them."""
_EXITS = (
    "Exit: 0 done · 1 failed, safe to run again · 2 usage or configuration · 3 done, some leads refused"
    " · 4 stopped by a guard · 5 another run holds the lock · 130/143 interrupted · 70 a bug of ours"
    "\n\nExample:  kartra-sync demo"
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=_EXITS
)
@click.version_option(package_name="kartra-sync")
def cli() -> None:
    """Keep a Kartra account in step with your own contact data.

    Only what changed is sent, at 20 calls a second at most, and nothing twice.
    """


@cli.command(epilog="Example:  kartra-sync demo")
@common
def demo(*, as_json: bool, verbose: int) -> None:
    """The whole job against a built-in sandbox: no account, no questions."""
    start_log(verbose)
    from pipelines.cli.demo import run_demo

    outcome = run_demo(say=(lambda _: None) if as_json else click.echo)
    if as_json:
        print_json(outcome)
    _exit(DONE if outcome["ok"] else FAILED)


@cli.command(epilog="Example:  kartra-sync check newsletter.yaml")
@click.argument("files", nargs=-1, required=True, type=FILE)
@common
def check(files: tuple[Path, ...], *, as_json: bool, verbose: int) -> None:
    """Check pipeline files: syntax, columns, every row and, with credentials, the names in Kartra."""
    start_log(verbose)
    from pipelines.verbs.check import check_file

    checked = [check_file(file, os.environ) for file in files]
    if as_json:
        print_json({"ok": all(one.ok for one in checked), "files": [one.to_json() for one in checked]})
    else:
        for one in checked:
            for line in one.lines():
                click.echo(line)
    _exit(max((one.exit_code for one in checked), default=DONE))


@cli.command(epilog="Example:  kartra-sync plan newsletter.yaml")
@click.argument("file", type=FILE)
@common
def plan(file: Path, *, as_json: bool, verbose: int) -> None:
    """What a run would send: counts per action, calls, minutes. Sends no write."""
    start_log(verbose)
    from connectors.privacy import mask_address, mask_text
    from pipelines.changes.inventory import missing_message
    from pipelines.cli.screens import plan_lines
    from pipelines.verbs.plan import plan_pipeline

    config = read_file(file)
    result = plan_pipeline(config)
    if as_json:
        planned = {
            "pipeline": config.pipeline,
            "rows": result.summary.rows_json(),
            "leads": result.summary.leads_json(),
            "actions": dict(sorted(result.plan.actions.items())),
            "triggered": {mask_text(what): count for what, count in result.plan.triggered.most_common()},
            "calls": {"estimated": result.calls},
            "seconds_estimated": round(result.seconds, 1),
            "collapsing": [
                {"row": row, "address": mask_address(address)} for row, address in result.collapsing
            ],
            "missing": {str(thing): count for thing, count in sorted(result.plan.missing.items())},
            "new_custom_fields": [
                {"identifier": mask_text(new.identifier), "type": new.type, "options": len(new.options)}
                for new in result.plan.new_fields
            ],
            "refusal": str(result.refusal) if result.refusal else None,
            **({"notes": result.summary.notes} if result.summary.notes else {}),
        }
        if result.operations is not None:
            planned["operations"] = result.operations.to_json()
        if result.pull is not None:
            planned["pull"] = {"leads": result.pull.leads, "details": result.pull.details}
        print_json(planned)
    else:
        for line in plan_lines(config.pipeline, result):
            click.echo(line)
        for row, address in result.collapsing:
            click.echo(f"  Test mode stores row {row} ({mask_address(address)}) as another row's address")
    if result.waiting:
        click.echo(
            f"{result.waiting} calls of an earlier run have no outcome; a run settles them first", err=True
        )
    if result.unchecked:
        click.echo(f"names were not compared with the account: {result.unchecked}", err=True)
    if result.plan.missing:
        click.echo(missing_message(result.plan.missing), err=True)
        _exit(USAGE)
    if result.refusal:
        click.echo(f"a run would be stopped: {result.refusal}", err=True)
        _exit(GUARDED)


@cli.command(epilog="Example:  kartra-sync run newsletter.yaml")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option(
    "--yes",
    is_flag=True,
    help="Agree to the money of operations, to more leads than guards.max_triggered, and to another account"
    " in the pulled tables.",
)
@common
def run(files: tuple[Path, ...], *, yes: bool, as_json: bool, verbose: int) -> None:
    """Load what changed since the last run, carry out operations, pull what is not fresh: what the file has.

    Operations that move money are counted and summed up first, and sent with --yes alone.
    """
    start_log(verbose)
    codes = []
    printed = []
    with stop_on_signals() as stop:  # before anything slow
        from rich.console import Console

        from pipelines.cli.screens import progress_bar, run_lines
        from pipelines.verbs.run import run_pipeline

        configs = [read_file(file) for file in files]
        for config in configs:
            if stop.number is not None:
                break
            with progress_bar(Console(stderr=True)) as progress:
                try:
                    result = run_pipeline(config, approved=yes, stopping=stop.asked, progress=progress)
                except SyncError as error:
                    if len(configs) == 1:
                        raise
                    click.echo(f"{config.pipeline}: {error}", err=True)
                    codes.append(_code_of(error))
                    printed.append({"pipeline": config.pipeline, **_error_json(error)})
                    continue
            printed.append(
                {
                    "run_id": result.run_id,
                    "pipeline": result.pipeline,
                    "status": result.status,
                    **result.summary.to_json(),
                    **({"message": result.message} if result.message else {}),
                    **({"notes": result.summary.notes} if result.summary.notes else {}),
                }
            )
            if not as_json:
                for line in run_lines(result):
                    click.echo(line)
            if result.error is not None:
                click.echo(f"{result.pipeline}: {result.error}", err=True)
            elif result.summary.refused and not as_json:
                click.echo(f"  why: kartra-sync rejects {_quoted(config.path)}")
                if result.summary.leads["parked"]:
                    click.echo(f"  what waits for you: kartra-sync parked {_quoted(config.path)}")
            codes.append(_code_of_run(result.status, result.error))
    if as_json:
        print_json(printed[0] if len(configs) == 1 and printed else {"runs": printed})
    _exit(128 + stop.number if stop.number is not None else max(codes, default=DONE), at_once=True)


@cli.command(epilog="Example:  kartra-sync status newsletter.yaml")
@click.argument("file", required=False, type=FILE)
@common
def status(file: Path | None, *, as_json: bool, verbose: int) -> None:
    """The last run and what waits, of one pipeline or of all in this folder."""
    start_log(verbose)
    from pipelines.verbs.status import status_of

    found = [status_of(config) for config in read_files(file)]
    if as_json:
        print_json({"pipelines": found})
        return
    for one in found:
        last = one["last_run"]
        told = f"last run {last['started_at'][:19]} {last['status']}" if last else "never run"
        click.echo(f"{one['pipeline']}: {one['leads']:,} leads in Kartra, {told}")
        for word in ("unknown", "parked", "rejected"):
            if one["waiting"][word]:
                click.echo(f"  {one['waiting'][word]:,} {word}")
        for what, counts in one.get("operations", {}).items():
            told = ", ".join(f"{count:,} {word}" for word, count in counts.items())
            click.echo(f"  {what}: {told}")
        if tables := one.get("tables"):
            click.echo(f"  tables: {_told_tables(tables)}")
        if one["running"]:
            click.echo(f"  running since {one['running']['since'][:19]}, process {one['running']['pid']}")


def _told_tables(tables: dict[str, Any]) -> str:
    if "problem" in tables:
        return str(tables["problem"])
    last = f"last pulled {tables['last_pull']} UTC" if tables["last_pull"] else "never pulled"
    return f"{tables['pulled']:,} leads of {tables['on_roster']:,}, {last}"


@cli.command(epilog="Example:  kartra-sync runs newsletter.yaml --count 3")
@click.argument("file", required=False, type=FILE)
@click.option("--count", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@common
def runs(file: Path | None, *, count: int, as_json: bool, verbose: int) -> None:
    """The last runs, newest first."""
    start_log(verbose)
    from rich.console import Console

    from pipelines.cli.screens import runs_table
    from pipelines.verbs.status import runs_of

    rows = [row for config in read_files(file) for row in runs_of(config, count)]
    if as_json:
        print_json({"runs": rows})
    elif rows:
        Console(width=None if sys.stdout.isatty() else 160).print(runs_table(rows))
    else:
        click.echo("no runs yet")


@cli.command(epilog="Example:  kartra-sync rejects newsletter.yaml --csv again.csv")
@click.argument("file", type=FILE)
@click.option(
    "--csv",
    "csv_file",
    is_flag=False,
    flag_value="-",
    help="Write the original records as CSV, to load again: to a file, or to stdout. Holds personal data.",
)
@common
def rejects(file: Path, *, csv_file: str | None, as_json: bool, verbose: int) -> None:
    """Who did not get through in the last run: row, kind and reason."""
    start_log(verbose)
    from rich.console import Console

    from pipelines.cli.screens import rejects_table
    from pipelines.verbs.rejects import rejects_of, write_rejects

    config = read_file(file)
    if csv_file is not None:
        if as_json and csv_file == "-":
            raise click.UsageError("--csv needs a file with --json")
        source = (config.load or config.needs_operations()).source
        count = write_rejects(lambda: rejects_of(config), None if csv_file == "-" else Path(csv_file), source)
        if as_json:
            print_json({"written": count, "file": csv_file})
        else:
            click.echo(f"{count:,} records written", err=True)
        return
    rows = ({name: value for name, value in row.items() if name != "record"} for row in rejects_of(config))
    if as_json:
        print_json_rows("rejects", rows)
        return
    console = Console(width=None if sys.stdout.isatty() else 160)
    shown = False
    while page := list(islice(rows, _ROWS_OF_A_TABLE)):
        console.print(rejects_table(page))
        shown = True
    if not shown:
        click.echo("none")


@cli.command(epilog="Example:  kartra-sync parked newsletter.yaml --show")
@click.argument("file", type=FILE)
@click.option("--show", is_flag=True, help="Show keys; without it they are masked.")
@common
def parked(file: Path, *, show: bool, as_json: bool, verbose: int) -> None:
    """What is not sent until somebody acts: unproven effects, refused leads, what is held back."""
    start_log(verbose)
    from rich.console import Console

    from pipelines.cli.screens import parked_operations_table, parked_table
    from pipelines.verbs.parked import parked_of

    found = parked_of(read_file(file), show=show)
    if as_json:
        print_json(found)
        return
    for cause in found["held_back"]:
        click.echo(
            f"held back since {cause['since'][:19]}: {cause['what']} ({cause['type']}: {cause['reason']})"
        )
    if found["operations"]:
        Console(width=None if sys.stdout.isatty() else 160).print(
            parked_operations_table(found["operations"])
        )
        if any(one["kind"] == "unproven" for one in found["operations"]):
            click.echo(
                "Not proven: look it up in Kartra, then"
                f" kartra-sync resolve {_quoted(file)} KEY --landed or --not-landed"
            )
    if found["leads"]:
        Console(width=None if sys.stdout.isatty() else 160).print(parked_table(found["leads"]))
        if any(lead["kind"] == "unproven" for lead in found["leads"]):
            click.echo(
                "Not proven: look the lead up in Kartra, then"
                f" kartra-sync resolve {_quoted(file)} KEY --landed or --not-landed"
            )
    elif not found["held_back"] and not found["operations"]:
        click.echo("nothing")


@cli.command(epilog="Example:  kartra-sync resolve newsletter.yaml ann@example.org --landed")
@click.argument("file", type=FILE)
@click.argument("key")
@click.option("--landed", "answer", flag_value="landed", help="Kartra has it: it counts as done.")
@click.option("--not-landed", "answer", flag_value="not landed", help="It has not: the next run sends it.")
@click.option("--only", multiple=True, metavar="WHAT", help='Not all of it: such as "sequences Onboarding".')
@common
def resolve(
    file: Path, key: str, *, answer: str | None, only: tuple[str, ...], as_json: bool, verbose: int
) -> None:
    """Say what became of a parked lead or operation, once you have looked it up in Kartra.

    With --not-landed what Kartra refused is tried again, too.
    """
    start_log(verbose)
    from pipelines.verbs.resolve import resolve_key

    if answer is None:
        raise click.UsageError("say --landed or --not-landed")
    landed = answer == "landed"
    resolved = resolve_key(read_file(file), key, landed=landed, only=only)
    if as_json:
        print_json(resolved)
    elif landed:
        click.echo(f"noted as done: {', '.join(resolved['resolved'])}")
    else:
        click.echo("the next run sends it again")


@cli.command(epilog="Example:  kartra-sync explain newsletter.yaml ann@example.org")
@click.argument("file", type=FILE)
@click.argument("key")
@click.option("--show", is_flag=True, help="Show values; without it they are masked.")
@common
def explain(file: Path, key: str, *, show: bool, as_json: bool, verbose: int) -> None:
    """One lead: its row, its mapping, what Kartra acknowledged, the decision and why, the journal.

    Or one operation, by its key: its row, what it asks for, what became of it.
    """
    start_log(verbose)
    from pipelines.verbs.explain import explain_key, explain_lines
    from pipelines.verbs.explain_operation import explain_operation, explain_operation_lines

    config = read_file(file)
    operation = explain_operation(config, key, show=show)
    explained = operation or explain_key(config, key, show=show)
    if as_json:
        print_json(explained)
    else:
        for line in explain_operation_lines(explained) if operation else explain_lines(explained):
            click.echo(line)


@cli.command(epilog="Example:  kartra-sync sandbox --port 8765 --fault cut_after=0.05")
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option("--mode", default="live", show_default=True, type=click.Choice(["live", "test"]))
@click.option(
    "--rate", default=20, show_default=True, type=click.IntRange(0), help="Calls a second; 0: no limit."
)
@click.option("--latency-ms", default=0, show_default=True, type=click.IntRange(0))
@click.option("--chain-errors", default="flat", show_default=True, type=click.Choice(["flat", "nested"]))
@click.option("--wording", default="current", show_default=True, type=click.Choice(["current", "older"]))
@click.option("--effect-delay-ms", default=0, show_default=True, type=click.IntRange(0))
@click.option("--fault", "fault_shares", multiple=True, metavar="NAME=SHARE", help="Such as cut_after=0.05.")
@click.option("--seed", default=0, show_default=True, type=int, help="Of the faults.")
@click.option("--account", "account_file", type=FILE, help="A YAML file with the account to start from.")
@common
def sandbox(
    *,
    port: int,
    mode: str,
    rate: int,
    latency_ms: int,
    chain_errors: str,
    wording: str,
    effect_delay_ms: int,
    fault_shares: tuple[str, ...],
    seed: int,
    account_file: Path | None,
    as_json: bool,
    verbose: int,
) -> None:
    """Serve an emulated Kartra account on this machine, to rehearse on. Ctrl-C ends it."""
    start_log(verbose)
    import yaml

    from connectors.kartra.sandbox import (
        Account,
        Faults,
        Sandbox,
        SandboxOptions,
        demo_account,
        serve_forever,
    )

    shares: dict[str, Any] = {}
    for given in fault_shares:
        name, _, share = given.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise click.BadParameter(f"{given}: NAME=SHARE with a share from 0 to 1") from None
    try:
        options = SandboxOptions(
            port=port,
            mode=mode,  # type: ignore[arg-type]
            calls_per_second=rate,
            latency_s=latency_ms / 1000,
            chain_errors=chain_errors,  # type: ignore[arg-type]
            wording=wording,  # type: ignore[arg-type]
            effect_delay_s=effect_delay_ms / 1000,
            faults=Faults(seed=seed, **shares),
        )
    except (TypeError, ValueError) as error:
        known = ", ".join(Faults().shares())
        raise click.BadParameter(f"--fault: {error}. Known faults: {known}") from None
    try:
        account = Account.from_yaml(account_file) if account_file else demo_account()
    except (OSError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise click.BadParameter(f"--account {account_file}: {error}") from None

    def announce(served: Sandbox) -> None:
        credentials = {
            "KARTRA_APP_ID": served.credentials.app_id,
            "KARTRA_API_KEY": served.credentials.api_key,
            "KARTRA_API_PASSWORD": served.credentials.api_password,
        }
        if as_json:
            print_json({"url": served.url, "environment": credentials})
            return
        click.echo(f"A sandbox account at {served.url} (Ctrl-C ends it). For a pipeline that uses it:")
        for name, value in credentials.items():
            click.echo(f"  export {name}={value}")

    try:
        serve_forever(options, account, announce)
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used: {error.strerror}") from error


@cli.command(epilog="Example:  kartra-sync schema > kartra-sync.schema.json")
@click.option("--json", is_flag=True, expose_value=False, help="As without it: one JSON object.")
def schema() -> None:
    """The JSON Schema of a pipeline file, for completion in editors."""
    from pipelines.config.schema import json_schema

    print_json(json_schema())


cli.add_command(init)
cli.add_command(inspect)
cli.add_command(state)
cli.add_command(reconcile)
cli.add_command(export)
cli.add_command(adopt)
cli.add_command(export_import)
cli.add_command(drift)
cli.add_command(errors)
cli.add_command(reports)
cli.add_command(report)
cli.add_command(call)


def main() -> None:
    """The console script. The one place where an error becomes a line and an exit code."""
    as_json = "--json" in sys.argv[1:]
    gc.set_threshold(GARBAGE_AFTER)
    try:
        cli.main(prog_name="kartra-sync", standalone_mode=False)
    except click.exceptions.Exit as error:
        _exit(error.exit_code)
    except click.Abort:
        _exit(128 + signal.SIGINT, at_once=True)
    except click.ClickException as error:
        error.show()
        if as_json:
            print_json({"status": "refused", "error": error.format_message(), "exit_code": USAGE})
        _exit(USAGE)
    except SyncError as error:
        click.echo(f"kartra-sync: {error}", err=True)
        if as_json:
            print_json(_error_json(error))
        _exit(_code_of(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _exit(DONE)
    except Exception:
        logging.getLogger("kartra_sync").exception(
            "a bug in kartra-sync; please report it with this traceback"
        )
        if as_json:
            print_json({"status": "failed", "error": "a bug in kartra-sync", "exit_code": BUG})
        _exit(BUG)


def _code_of(error: SyncError) -> int:
    if isinstance(error, ConfigError):
        return USAGE
    if isinstance(error, GuardError):
        return GUARDED
    return LOCKED if isinstance(error, LockedError) else FAILED


def _code_of_run(status: str, error: SyncError | None) -> int:
    if error is not None:
        return _code_of(error)
    return {"succeeded": DONE, "partial": PARTIAL, "interrupted": 128 + signal.SIGINT}.get(status, FAILED)


def _error_json(error: SyncError) -> dict[str, Any]:
    refused = isinstance(error, ConfigError | GuardError | LockedError)
    return {"status": "refused" if refused else "failed", "error": str(error), "exit_code": _code_of(error)}


def _quoted(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _exit(code: int, *, at_once: bool = False) -> None:
    """`at_once` does not wait for threads that still listen for an answer nobody needs."""
    if not at_once:
        sys.exit(code)
    if sys.stdout is not None:
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
