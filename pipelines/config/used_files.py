"""The files that pipelines read or keep, which no verb may overwrite, whatever a person agreed to.

Other pipelines in the folder are searched as text, so that their files are protected even while they cannot
be read, for example because a variable is not set.
"""

import glob
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import yaml

from connectors.errors import ConfigError
from pipelines.config.pipeline import PipelineConfig, files_of
from pipelines.config.yaml_text import compose

_DEFAULT = re.compile(r"\$\{[^}:]*:-([^}]*)\}")
_SQLITE = re.compile(r"^(?:jdbc:)?sqlite3?(?:\+pysqlite)?:/{0,3}")
_BESIDE_SQLITE = re.compile(r"-(wal|shm|journal)$")


def refuse_used(
    targets: Iterable[Path], config: PipelineConfig | None = None, more: Iterable[Path] = ()
) -> None:
    """Raises ConfigError if a pipeline reads or keeps one of the files to be written.

    Checked are the pipeline itself and the pipelines in its folder, in the current one and beside the target;
    `more` are further files that are in use.
    """
    written = [target.absolute() for target in targets]
    folders = {Path.cwd(), *(target.parent for target in written)}
    if config is not None:
        folders.add(config.path.parent)
    used = [*((path, path.name) for path in more), *_used(config, folders)]
    for target in written:
        for path, reader in used:
            if _is_one_of(target, path):
                raise ConfigError(
                    f"{target.name}: {reader} reads or keeps this file, so nothing is written over it;"
                    " name another one"
                )


def _used(config: PipelineConfig | None, folders: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """(file or pattern, name of the pipeline file that uses it)."""
    if config is not None:
        for path in files_of(config):
            yield path, config.path.name
    for folder in folders:
        yield folder / ".env", ".env"
        for file in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
            yield from ((path, file.name) for path in _named_in(file))


def _named_in(file: Path) -> Iterator[Path]:
    """The pipeline file itself, and every value in it that may be the name of a file."""
    try:
        root = compose(file)
    except ConfigError:
        return
    if not isinstance(root, yaml.MappingNode) or all(key.value != "pipeline" for key, _ in root.value):
        return
    yield file
    for text in _texts(root):
        name = _SQLITE.sub("", _DEFAULT.sub(r"\1", text))
        if name and "\n" not in name and "\0" not in name:
            yield file.parent / name


def _texts(root: yaml.Node) -> Iterator[str]:
    """Every value, once for all aliases of it."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            yield node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += [value for _, value in node.value]
        else:
            waiting += node.value


def _is_one_of(target: Path, used: Path) -> bool:
    """Whether the target is that file, under any name, or matches that pattern."""
    # Writing over contacts.db-wal destroys contacts.db as well.
    bare = target.with_name(_BESIDE_SQLITE.sub("", target.name))
    if fnmatch(str(bare), str(used)):
        return True
    try:
        found = [used] if used.exists() else [Path(path) for path in glob.glob(str(used))]  # noqa: PTH207
        return target.exists() and any(path.samefile(target) for path in found)
    except OSError:  # too long for a name, or a folder that may not be read
        return False
