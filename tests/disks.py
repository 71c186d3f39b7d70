"""Disks of a test's own: mounted, and filled."""

import shutil
import subprocess
from pathlib import Path

import pytest


def mount(*words: str) -> None:
    if shutil.which("mount") is None:
        pytest.skip("no disk can be mounted here: there is no mount")
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")


def fill(disk: Path, *, but: int = 0) -> Path:
    """A file that leaves so many bytes of the disk free."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as handle:
        block = b"x" * 4096
        try:
            while but == 0 or shutil.disk_usage(disk).free >= but + len(block):
                handle.write(block)
        except OSError:
            pass
    assert shutil.disk_usage(disk).free <= but
    return ballast
