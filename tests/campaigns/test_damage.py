"""A state with flipped bytes is refused or right, and never wrong: a small draw of the campaign."""

from pathlib import Path

from tests.attacks.table import observe
from tests.campaigns import damage
from tests.full import IS_FULL

HARD = (57, 284, 946)
"""Seeds that once ended in a traceback: a schema, an inventory and a snapshot that cannot be read."""


def test_runs_on_damaged_states_are_refused_or_right(tmp_path: Path) -> None:
    outcome = damage.play(tmp_path, [*HARD, *range(1_000 if IS_FULL else 6)])
    assert (outcome.wrong, outcome.crashed) == ([], [])
    assert outcome.counts["succeeded"] > 3
    assert outcome.counts["refused"] >= 1
    for probe in ("flipped", "flipped-schema", "flipped-snapshot", "flipped-inventory"):
        observe(probe, f"{len(outcome.wrong)} wrong, {len(outcome.crashed)} tracebacks")
