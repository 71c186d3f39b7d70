"""A fleet, read: each account with its pipelines, or with what is wrong; and the states that nobody has."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import SecretStr

from connectors.errors import ConfigError, Lines, lines_of
from pipelines.config.file import Within, read_pipeline
from pipelines.config.fleet import FleetPipeline
from pipelines.config.fleet_file import FleetFile, read_fleet
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.watched import Watched, watched_in
from pipelines.fleet.accounts import FleetAccount, accounts_of, choose
from pipelines.fleet.left import Left, left_states


@dataclass(frozen=True, slots=True)
class Member:
    """One account with its pipelines, in their order. With `faults` it does not run."""

    account: FleetAccount
    state: str
    pipelines: tuple[PipelineConfig, ...] = ()
    faults: tuple[str, ...] = ()
    unread: tuple[Watched, ...] = ()
    """Pipelines whose file has a fault, as far as it says who is to hear of that."""

    @property
    def name(self) -> str:
        return self.account.name

    @property
    def error(self) -> ConfigError | None:
        return ConfigError(Lines(self.faults)) if self.faults else None


@dataclass(frozen=True, slots=True)
class Fleet:
    file: FleetFile
    members: tuple[Member, ...]
    left: tuple[Left, ...] = ()
    all_names: tuple[str, ...] = field(default=())
    """The names of all accounts, also of those that were not chosen."""

    @property
    def name(self) -> str:
        return self.file.config.fleet

    def said_of(self, config: PipelineConfig) -> FleetPipeline:
        """What the fleet file says of a pipeline."""
        return next(each for each in self.file.config.pipelines if each.file == config.path)


def open_fleet(
    path: Path, environ: Mapping[str, str], *, target: str | None = None, names: Iterable[str] = ()
) -> Fleet:
    """Everything that a verb needs of a fleet. Raises ConfigError for what concerns it as a whole."""
    return open_fleet_file(read_fleet(path, environ, target), environ, names)


def open_fleet_file(file: FleetFile, environ: Mapping[str, str], names: Iterable[str] = ()) -> Fleet:
    """Of a fleet file that was read. Raises ConfigError for what concerns it as a whole."""
    accounts = accounts_of(file)
    # No account may find these in the environment: one with an empty cell would pick up a value that was
    # meant for another.
    reserved = frozenset(name for account in accounts for name in account.variables)
    members = [_member(file, account, environ, reserved) for account in accounts]
    # Before accounts are left out: a clash is just as bad if only one of the two is run now.
    members = list(_apart(file, members))
    chosen = {account.name for account in choose(accounts, names)}
    return Fleet(
        file,
        tuple(member for member in members if member.name in chosen),
        tuple(left_states(file, [account.name for account in accounts])),
        tuple(account.name for account in accounts),
    )


def within(file: FleetFile, account: FleetAccount, reserved: frozenset[str]) -> Within:
    """What a fleet decides for the pipelines of an account."""
    kartra: dict[str, object] = {"account": account.name}
    if account.credentials is not None:
        kartra |= {
            "app_id": SecretStr(account.credentials.app_id),
            "api_key": SecretStr(account.credentials.api_key),
            "api_password": SecretStr(account.credentials.api_password),
        }
    for key in ("url", "mode", "calls_per_second", "timeout_s"):
        if (value := getattr(file.shared, key)) is not None:
            kartra[key] = value
    state = file.state_of(account.name)
    return Within(account.name, kartra, state, account.variables, reserved, account.places)


def _member(
    file: FleetFile, account: FleetAccount, environ: Mapping[str, str], reserved: frozenset[str]
) -> Member:
    configs: list[PipelineConfig] = []
    faults = list(account.faults)
    unread: list[Watched] = []
    decided = within(file, account, reserved)
    for pipeline in file.config.pipelines:
        try:
            configs.append(read_pipeline(pipeline.file, environ, decided))
        except ConfigError as error:
            faults += lines_of(error)
            if (watched := watched_in(pipeline.file, environ, decided)) is not None:
                unread.append(watched)
    for place, config in enumerate(configs):
        if config.pipeline in [other.pipeline for other in configs[:place]]:
            faults.append(f"{config.path.name}: another file calls its pipeline {config.pipeline}, too")
    return Member(account, file.state_of(account.name), tuple(configs), tuple(faults), tuple(unread))


def _apart(file: FleetFile, members: list[Member]) -> Iterator[Member]:
    """The members, with a fault where two would write into the same file or read the same contacts."""
    writers: dict[str, list[str]] = defaultdict(list)
    readers: dict[tuple[Path, str], list[str]] = defaultdict(list)
    for member in members:
        for config in member.pipelines:
            for kept in _kept(config):
                writers[kept].append(member.name)
            if config.load is not None:
                readers[config.path, _contacts(config)].append(member.name)
    for member in members:
        faults = list(member.faults)
        for pipeline, config in zip(file.config.pipelines, member.pipelines, strict=False):
            for kept in _kept(config):
                others = [name for name in dict.fromkeys(writers[kept]) if name != member.name]
                if others:
                    faults.append(
                        f"{config.path.name}: {_few(others)} would write into the same {Path(kept).name};"
                        " write ${account} into its name"
                    )
            if config.load is None or pipeline.same_contacts:
                continue
            same = readers[config.path, _contacts(config)]
            others = [name for name in same if name != member.name]
            # If all read the same, that may well be intended: then it is only a note (`shared_contacts`).
            if others and len(same) < sum(member.pipelines != () for member in members):
                faults.append(
                    f"{config.path.name}: reads the same contacts as {_few(others)}, and others have their"
                    " own: is a variable of one of them wrong? If it is meant so: same_contacts: true"
                )
        yield replace(member, faults=tuple(faults))


def _contacts(config: PipelineConfig) -> str:
    """What a pipeline reads, as a text that is equal where that is the same."""
    source = config.needs_load().source
    return f"{source.kind} {source.options.model_dump()}"


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3:,} more" if len(names) > 3 else shown


def _kept(config: PipelineConfig) -> Iterator[str]:
    """The files and databases that a pipeline writes, beside its state."""
    if config.pull is not None:
        yield str(config.pull.into)
    if config.operations is not None and config.operations.results is not None:
        yield str(config.operations.results)
    if config.metrics is not None and config.metrics.file is not None:
        yield str(config.metrics.file)


def shared_contacts(fleet: Fleet) -> list[str]:
    """Notes on pipelines that read the same contacts for every account."""
    notes = []
    for pipeline in fleet.file.config.pipelines:
        sources = Counter(
            _contacts(config)
            for member in fleet.members
            for config in member.pipelines
            if config.path == pipeline.file and config.load is not None
        )
        if not pipeline.same_contacts and len(sources) == 1 and sources.total() > 1:
            notes.append(
                f"{pipeline.file.name} reads the same contacts for all {sources.total():,} accounts: each"
                " person goes into each of them. If that is not meant: ${account}.csv as its source"
            )
    return notes
