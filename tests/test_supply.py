"""What a release is made of: a lock with hashes, libraries that are listed, a wheel built twice the same."""

import re
from pathlib import Path

import yaml

from tests import supply
from tests.attacks.table import observe

ALLOWED = ("MIT", "BSD", "Apache", "PSF", "ISC", "MPL", "LGPL", "Unlicense", "CC0", "Zlib", "0BSD", "Python")
"""Words of licences that go with ours; the Lesser GPL is that of psycopg, which is not changed."""


def test_every_line_of_the_lock_has_hashes_and_every_library_is_locked() -> None:
    assert [name for name, count in supply.hashes().items() if not count] == []
    pinned = supply.locked()
    installed = {library.name: library.version for library in supply.libraries()}
    assert {name: pinned.get(name) for name in installed} == installed
    observe("lock-hashes", "each line of the lock has hashes, each library that is installed its line")


def test_the_list_of_libraries_is_current_and_every_licence_goes_with_ours() -> None:
    written = re.findall(
        r"^\| (\S+) \| (\S+) \| (.+?) \| ([\d.]+) \|$", supply.LISTED.read_text("utf-8"), re.MULTILINE
    )
    found = supply.libraries()
    assert [row[:3] for row in written] == [(one.name, one.version, one.licence) for one in found]
    sizes = [(name, float(mib), one.mib) for (name, _, _, mib), one in zip(written, found, strict=True)]
    assert [size for size in sizes if abs(size[1] - size[2]) > 2 + size[2] / 2] == []
    strange = [one for one in found if not any(word in one.licence for word in ALLOWED)]
    assert strange == []
    observe("licences", f"{len(strange)} of them do not go with ours")


def test_a_wheel_that_is_built_twice_is_the_same_and_carries_nothing_of_tests(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, second = supply.build(tmp_path), supply.build(tmp_path / "again")
    assert first.read_bytes() == second.read_bytes()
    assert b"tests/conftest.py" not in first.read_bytes()
    observe("wheel-twice", "the same bytes; nothing of the tests")


def test_the_recipe_of_a_release_builds_twice_lists_and_signs() -> None:
    recipe = yaml.safe_load((supply.ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
    text = str(recipe)
    assert set(supply.PYTHONS) == set(recipe["jobs"]["pythons"]["strategy"]["matrix"]["python"])
    for part in ("--require-hashes", "tests.supply wheel", "cyclonedx-py", "sigstore sign", "id-token"):
        assert part in text, part
    uses = [step["uses"] for job in recipe["jobs"].values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", one) for one in uses)
    observe("recipe", "all its parts are in it, for each Python of the list")
