"""The golden tests and the demo under the lowest versions that are allowed, and under the newest.

`python -m tests.library_versions` makes an environment for each, in a folder that is gone afterwards, from
the index that pip is configured for; about two minutes. Exit code 1 where anything of it fails.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
GOLDEN = (
    "tests/contacts/test_golden_contacts.py",
    "tests/contacts/test_lead.py",
    "tests/contacts/test_known_records.py",
)
NAMES = "never_change or stays_what_it_is"
"""By which golden tests are called."""
TOLD = ("pandas", "pyarrow", "numpy", "idna", "email-validator", "phonenumbers", "babel", "SQLAlchemy")
RUNNERS = ("pytest", "pytest-xdist", "hypothesis")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.library_versions", description=__doc__)
    parser.add_argument("sets", nargs="*", choices=["lowest", "newest", []], metavar="lowest|newest")
    sets = parser.parse_args().sets or ["lowest", "newest"]
    table = Table("versions", *TOLD, "golden tests", "demo")
    failed = False
    for name in sets:
        with tempfile.TemporaryDirectory() as folder:
            python = _environment(Path(folder), lowest() if name == "lowest" else declared())
            golden = _run(python, "-m", "pytest", "-q", "-n", "0", *GOLDEN, "-k", NAMES)
            demo = _run(python, "-c", "from pipelines.cli.main import main; main()", "demo")
            failed = failed or not (golden and demo)
            table.add_row(name, *_versions(python), _told(golden), _told(demo))
    Console(width=140).print(table)
    return int(failed)


def declared() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def lowest() -> list[str]:
    """`name>=1.2,<3` is `name==1.2`."""
    return [re.sub(r">=([^,]+).*", r"==\1", requirement) for requirement in declared()]


def _environment(folder: Path, requirements: Sequence[str]) -> str:
    """Gives its Python. Raises CalledProcessError where the versions cannot be installed together."""
    venv.create(folder, with_pip=True)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements, *RUNNERS], check=True)
    subprocess.run([python, "-m", "pip", "check"], check=True, stdout=subprocess.DEVNULL)
    return python


def _run(python: str, *words: str) -> bool:
    done = subprocess.run([python, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
    return done.returncode == 0


def _versions(python: str) -> list[str]:
    code = f"from importlib.metadata import version\nfor name in {TOLD}: print(version(name))"
    return subprocess.check_output([python, "-c", code], text=True).split()


def _told(passed: bool) -> str:
    return "pass" if passed else "FAIL"


if __name__ == "__main__":
    sys.exit(main())
