"""Files that take long to make are kept from run to run, under the name of what they were made by.

The folder is `kartra-sync-bench` among the temporary files, or BENCH_FOLDER. It can be deleted at any time.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import psutil


def cache_folder() -> Path:
    folder = Path(os.environ.get("BENCH_FOLDER") or Path(tempfile.gettempdir()) / "kartra-sync-bench")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def run_folder() -> Iterator[Path]:
    """For one run, and gone with it; those of runs that were killed go too."""
    for left in cache_folder().glob("run-*"):
        if not psutil.pid_exists(int(left.name.split("-")[1])):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"run-{os.getpid()}-", dir=cache_folder()) as folder:
        yield Path(folder)


def kept(kind: str, name: str, made_by: Iterable[bytes], make: Callable[[Path], None]) -> Path:
    """The file, made where it is missing. What something other than `made_by` made of the kind is deleted."""
    key = blake2b(b"\0".join(made_by), digest_size=6).hexdigest()
    path = cache_folder() / f"{kind}-{key}-{name}"
    if not path.exists():
        for stale in cache_folder().glob(f"{kind}-*"):
            if not stale.name.startswith(f"{kind}-{key}-"):
                stale.unlink()
        with run_folder() as folder:
            make(folder / name)
            (folder / name).rename(path)
    return path
