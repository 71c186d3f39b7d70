"""One pipeline of a fleet as it is for one account: FLEET@ACCOUNT, or FLEET@ACCOUNT/PIPELINE.

So every verb that takes a pipeline file works on an account of a fleet: `rejects agency.yaml@acme/welcome`.
"""

from collections.abc import Mapping
from pathlib import Path

from connectors.errors import ConfigError, Lines
from pipelines.config.pipeline import PipelineConfig
from pipelines.fleet.fleet import open_fleet


def read_one_of_fleet(named: str, environ: Mapping[str, str]) -> PipelineConfig:
    """`named` may have a target behind a colon: agency.yaml:test@acme. Raises ConfigError."""
    file, _, whose = named.rpartition("@")
    name, _, pipeline = whose.partition("/")
    path, target = _target(file)
    fleet = open_fleet(path, environ, target=target, names=[name])
    member = fleet.members[0]
    if member.faults:
        raise ConfigError(Lines(f"{name}: {fault}" for fault in member.faults))
    if not pipeline and len(member.pipelines) == 1:
        return member.pipelines[0]
    for config in member.pipelines:
        if pipeline in (config.pipeline, config.path.name):
            return config
    names = ", ".join(f"{file}@{name}/{config.pipeline}" for config in member.pipelines)
    raise ConfigError(f"{named}: name one of {names}")


def _target(file: str) -> tuple[Path, str | None]:
    path = Path(file)
    before, colon, target = file.rpartition(":")
    # An existing file wins, even if its name has a colon in it.
    return (Path(before), target) if colon and not path.exists() else (path, None)


def named_in_fleet(fleet: Path, target: str | None, account: str, pipeline: str) -> str:
    """How a pipeline of an account is named to other verbs."""
    return f"{fleet}{f':{target}' if target else ''}@{account}/{pipeline}"
