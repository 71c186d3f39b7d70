"""The verb `check`: a pipeline file, its columns, every row and, with credentials, the account's names."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.errors import ConfigError, Lines, SyncError, TablesError
from connectors.privacy import mask_text
from pipelines.calls.examined import behaviour_of
from pipelines.calls.inventories import read_inventory
from pipelines.changes.behaviour import Behaviour, too_long
from pipelines.changes.diff import diff_lead
from pipelines.changes.inventory import Inventory, Missing
from pipelines.config.defaults import defaults_taken
from pipelines.config.file import read_pipeline
from pipelines.config.load import LoadConfig, TransformConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.pull import PullConfig
from pipelines.contacts.examples import broken_examples
from pipelines.contacts.lead import DesiredLead
from pipelines.contacts.mapping import Mapped
from pipelines.extract.hook_file import HookFile, read_hook_file
from pipelines.extract.sources import words_notes, words_shown
from pipelines.extract.stage import check_columns, read_mapped
from pipelines.extract.suppression import check_suppression
from pipelines.extract.transform import open_records
from pipelines.load.account_names import Shortfall, kinds_used
from pipelines.load.custom_fields import creatable_fields
from pipelines.load.limits import field_types
from pipelines.operations.job import check_operation_columns, check_operations
from pipelines.pull.job import check_roster
from pipelines.state.place import is_there
from pipelines.tables.warehouse import Warehouse
from pipelines.verbs.account import open_client
from pipelines.verbs.channels import check_channels
from pipelines.verbs.identity import find
from pipelines.verbs.metrics import check_metrics
from pipelines.verbs.reading import store_of
from pipelines.verbs.twins import twin_message, twin_of
from pipelines.words.numbers import counted


@dataclass(slots=True)
class Checked:
    """What was found in one file. `problem` is the error that makes a run impossible."""

    file: Path
    config: PipelineConfig | None = field(default=None, repr=False)
    pipeline: str | None = None
    notes: list[str] = field(default_factory=list)
    records: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    blocked: int = 0
    held_back: Counter[str] = field(default_factory=Counter)
    """How many of the blocked records have each reason."""
    unclear: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(column, word) of statuses that are none of the known words."""
    missing: Counter[Missing] = field(default_factory=Counter)
    too_long: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How many records have a longer text for a field than so many characters, which the account keeps."""
    not_permitted: Counter[str] = field(default_factory=Counter)
    """How many records need a command that a doctor has found the App may not call."""
    names_checked: bool = False
    defaults: dict[str, str] = field(default_factory=dict)
    """What the file leaves out, by its place, and what was taken instead."""
    hook: HookFile | None = field(default=None, repr=False)
    problem: SyncError | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None and not self.missing


def check_files(files: Iterable[Path], environ: Mapping[str, str]) -> list[Checked]:
    """Check each file, and that no two of them write to the same scope."""
    found: list[Checked] = []
    for file in files:
        checked = check_file(file, environ)
        before = [other.config for other in found if other.config is not None]
        if checked.config is not None and (twin := twin_of(checked.config, before)):
            checked.problem = ConfigError(twin_message(checked.config, twin))
        found.append(checked)
    return found


def check_file(file: Path, environ: Mapping[str, str]) -> Checked:
    """Check one file; a SyncError becomes its `problem`."""
    checked = Checked(file)
    try:
        config = read_pipeline(file, environ)
    except SyncError as error:
        checked.problem = error
        return checked
    return check_pipeline(config, file)


def check_pipeline(config: PipelineConfig, file: Path | None = None) -> Checked:
    """Check a pipeline that was read; a SyncError becomes the `problem` of what was found."""
    checked = Checked(file or config.path, config, config.pipeline)
    try:
        checked.defaults = defaults_taken(config)
        with words_shown():
            _check(config, checked)
    except SyncError as error:
        checked.problem = error
    return checked


def _check(config: PipelineConfig, checked: Checked) -> None:
    check_channels(config)
    check_metrics(config)
    if config.pull is not None:
        _check_pull(config.pull, checked)
    if config.operations is not None:
        _check_operations(config, checked)
    load = config.load
    if load is None:
        return
    if load.transform is not None and not _is_played(load.transform, checked):
        _check_names_of_file(config, load, checked)
        return
    source = open_records(load)
    checked.notes += [*source.notes, *words_notes(source), *check_columns(source, config, load)]
    for suppress in load.suppress:
        check_suppression(suppress)
    if broken := list(broken_examples(load, source.columns)):
        raise ConfigError(Lines(f"{config.path.name}: {line}" for line in broken))
    if load.examples:
        checked.notes.append(f"{counted(len(load.examples), 'example holds', 'examples hold')}")
    inventory = _inventory(config, load, checked)
    shortfall = Shortfall(lambda: inventory, lambda: inventory, creatable_fields(load))
    behaviour = _behaviour(config)
    types, forbidden = field_types(inventory), set(behaviour.forbidden if behaviour else ())
    left_out: list[int] = []
    for _, record in read_mapped(source, load, left_out.append):
        checked.records += 1
        if not isinstance(record, Mapped):
            checked.invalid[record.reason] += 1
        elif record.blocked:
            checked.blocked += 1
            checked.held_back[record.blocked] += 1
        else:
            checked.unclear.update(record.unclear)
            # Compared with nothing, so that every name and value the record asks for is looked at.
            change = diff_lead(record.lead, None)
            if checked.names_checked:
                shortfall.check(change, record.lead.unwanted)
            if behaviour is not None:
                checked.too_long.update(too_long(change, behaviour.limits, types))
                checked.not_permitted.update(forbidden.intersection(change.commands))
    if load.only:
        checked.notes.append(
            f"load.only leaves out {sum(left_out):,} of {counted(sum(left_out) + checked.records, 'record')}"
        )
    checked.missing = shortfall.leads
    checked.notes += _unwhole(checked)
    checked.notes += [
        f"custom field {new} is not there yet; a run creates it" for new in shortfall.new_fields
    ]


def _behaviour(config: PipelineConfig) -> Behaviour | None:
    """What a doctor has found of the account; it is known by its credentials."""
    if not (config.kartra.api_key and is_there(config.state)):
        return None
    with store_of(config) as store:
        return behaviour_of(store, find(config, store, ask=False).account)


def _unwhole(checked: Checked) -> Iterator[str]:
    for (name, kept), count in checked.too_long.most_common():
        yield f"{count:,} have a longer {mask_text(name)} than the {kept:,} characters that the account keeps"
    for cmd, count in checked.not_permitted.most_common():
        yield f"the App was not allowed to call {cmd} when a doctor looked: {count:,} records need it"


def _check_names_of_file(config: PipelineConfig, load: LoadConfig, checked: Checked) -> None:
    """The tags and lists that stand in the file itself; what columns name shows when the hook is played."""
    inventory = _inventory(config, load, checked)
    if not checked.names_checked:
        return
    tags = tuple(tag for tag in load.tags if isinstance(tag, str))
    lists = tuple(name for name in load.lists if isinstance(name, str))
    shortfall = Shortfall(lambda: inventory, lambda: inventory, creatable_fields(load))
    shortfall.check(diff_lead(DesiredLead("", tags=tags, lists=lists), None))
    checked.missing = shortfall.leads


def _is_played(transform: TransformConfig, checked: Checked) -> bool:
    """Whether the hook is run: not before it was shown once, as it is now."""
    file = checked.hook = read_hook_file(transform)
    checked.notes.append(file.told)
    if (file.is_new or file.has_changed) and file.remember():
        why = "has changed since it ran last" if file.has_changed else "never ran here"
        checked.notes.append(
            f"{transform.file.name} {why}, so it was not run: read it; the next check plays it, and"
            " goes through the records"
        )
        return False
    return True


def _check_pull(pull: PullConfig, checked: Checked) -> None:
    """Reach the tables, and find the column that names the leads. Raises SyncError."""
    if pull.leads.source is not None:
        check_roster(pull.leads)
    try:
        with Warehouse(pull.into, read_only=True) as warehouse:
            warehouse.refuse_foreign_tables()
            is_there = warehouse.is_there()
    except TablesError:
        # A file of tables that cannot be opened may only be missing, and a run makes it; a server that cannot
        # be reached is a fault.
        if not isinstance(pull.into, Path):
            raise
        is_there = False
    if not is_there:
        checked.notes.append("the tables of the pull are not there yet; a run makes them")


def _check_operations(config: PipelineConfig, checked: Checked) -> None:
    check_operation_columns(config)
    read, invalid = check_operations(config)
    checked.records += read
    checked.invalid += invalid


def _inventory(config: PipelineConfig, load: LoadConfig, checked: Checked) -> Inventory:
    """The account's lists, asked for now; empty where there are no credentials to ask with."""
    kartra = config.kartra
    if not (kartra.app_id and kartra.api_key and kartra.api_password):
        checked.notes.append("credentials are not set: names were not compared with the account")
        return Inventory()
    client = open_client(config)
    try:
        contents = {kind: read_inventory(client, kind) for kind in kinds_used(load)}
    finally:
        client.close()
    checked.names_checked = True
    inventory = Inventory.of(contents, fresh=True)
    checked.notes += [inventory.note] if inventory.note else []
    return inventory
