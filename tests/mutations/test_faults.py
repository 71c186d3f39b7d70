"""The faults fit the program: what each replaces stands there once. Finding them is a job of its own."""

from pathlib import Path

import pytest

from tests.mutations.faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]


def test_there_are_forty_faults_and_each_has_one_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_put_into_the_program(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text(encoding="utf-8")
    assert text.count(fault.old) == 1
    assert fault.new != fault.old


def test_the_table_has_a_line_for_each_fault() -> None:
    lines = (ROOT / "tests" / "mutations" / "README.md").read_text(encoding="utf-8").splitlines()
    told = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert told[0] == "fault"
    assert told[1:] == [fault.name for fault in FAULTS]
