"""The pipeline files of a verb: the named one, or all that are in this folder."""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from connectors.errors import ConfigError, Lines, lines_of
from pipelines.config.file import read_pipeline
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.used_files import refuse_used
from pipelines.private_file import refuse_existing


def read_file(file: Path) -> PipelineConfig:
    """A pipeline file; or FLEET@ACCOUNT/PIPELINE, the pipeline of a fleet as it is for one account."""
    # An existing file wins, even if its name has an @ in it.
    if "@" in str(file) and not file.exists():
        # Most commands are about no fleet, and `status` would begin later by all that one is read with.
        from pipelines.fleet.one import read_one_of_fleet

        return read_one_of_fleet(str(file), os.environ)
    return read_pipeline(file, os.environ)


def read_files(file: Path | None) -> list[PipelineConfig]:
    """The named pipeline, or all that can be read in this folder. Raises ConfigError where none can."""
    if file is not None:
        return [read_file(file)]
    found = []
    problems: list[str] = []
    for candidate in sorted((*Path().glob("*.yaml"), *Path().glob("*.yml"))):
        try:
            found.append(read_file(candidate))
        except ConfigError as error:
            problems += lines_of(error)
    if not found:
        raise ConfigError(Lines(["no pipeline file in this folder; name one", *problems]))
    return found


def read_one(file: Path | None) -> PipelineConfig:
    """The named pipeline, or one of this folder where all of them share a state."""
    found = read_files(file)
    if len({config.state for config in found}) > 1:
        names = ", ".join(config.path.name for config in found)
        raise ConfigError(f"the pipelines of this folder have more than one state; name one of {names}")
    return found[0]


def target_of(name: str, config: PipelineConfig, *, replace: bool) -> Path | None:
    """The file to be written; None, which is stdout, for -. Raises ConfigError where it may not be."""
    if name == "-":
        return None
    target = Path(name)
    refuse_target(target, config, replace=replace)
    return target


def refuse_target(target: Path, config: PipelineConfig, *, replace: bool, more: Iterable[Path] = ()) -> None:
    """Raises ConfigError where the file is there already, or is one that a pipeline, or this verb, reads."""
    refuse_used([target], config, more)
    refuse_existing([] if replace else [target])


def quoted(path: Path) -> str:
    """A path as it is named from this folder, in a command that a reader copies."""
    try:
        return shlex.quote(str(path.relative_to(Path.cwd())))
    except ValueError:
        return shlex.quote(str(path))
