"""What became of each lead of each run: outcomes, rejects over several runs, and a mended file again."""

import csv
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.kartra.sandbox import Sandbox, demo_account
from tests.conftest import LOAD, Project, Result, contact
from tests.state.places import beside

REFUSED = "lead9@example.org"


@dataclass(frozen=True)
class Played:
    """Three nights of a project: their results, the folder as it was after them, and the sandbox."""

    nights: list[Result]
    folder: Path
    environ: dict[str, str]
    sandbox: Sandbox


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Two new leads, an invalid row, a duplicate, one without consent, one refused; an edit and a new row."""
    project = Project(tmp_path_factory.mktemp("nights"))
    with Sandbox(demo_account(), calls_per_second=0) as sandbox:
        project.aim(sandbox)
        project.pipeline(LOAD)
        with sandbox.lock:
            sandbox.account.add_lead(REFUSED).deleted = True
        bad = [contact(3, Email="nobody"), contact(2), contact(5, Consent="no"), contact(9)]
        nights = [
            [contact(1), contact(2), *bad],
            [contact(1), contact(2), *bad, contact(6)],
            [contact(1, City="Oslo"), contact(2), *bad, contact(6), contact(7, Email="no one")],
        ]
        results = []
        for rows in nights:
            project.contacts(rows)
            results.append(project.run())
        yield Played(results, project.folder, project.environ, sandbox)


@pytest.fixture
def nights(played: Played) -> list[Result]:
    return played.nights


@pytest.fixture
def sandbox(played: Played) -> Sandbox:
    return played.sandbox


@pytest.fixture
def project(played: Played, tmp_path: Path) -> Project:
    """A copy of the project after these nights."""
    shutil.copytree(played.folder, tmp_path / "copy")
    return Project(tmp_path / "copy", dict(played.environ))


def outcomes(project: Project, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.command("outcomes", "p.yaml", "--json", *words).json["outcomes"]
    return found


def rejects(project: Project, *words: str) -> Result:
    return project.command("rejects", "p.yaml", "--json", *words)


def test_each_lead_of_a_run_has_its_outcome_with_what_was_sent(
    project: Project, nights: list[Result]
) -> None:
    run_id = nights[0].json["run_id"]
    found = outcomes(project, "--run", run_id, "--show")
    assert {(one["key"], one["outcome"]) for one in found} == {
        ("lead1@example.org", "created"),
        ("lead2@example.org", "created"),
        ("lead2@example.org", "duplicate"),
        ("lead5@example.org", "blocked"),
        ("lead9@example.org", "refused"),
        (None, "invalid"),
    }


def test_what_was_sent_is_named_and_has_no_values(project: Project, nights: list[Result]) -> None:
    (edited,) = outcomes(project, "--kind", "edited")
    assert edited["sent"] == ["city"]
    (created,) = outcomes(project, "--key", "lead2@example.org", "--kind", "created", "--show")
    assert {"first_name", "city", "note", "size", "fruits", 'tag "Imported"', 'list "News"'} <= set(
        created["sent"]
    )
    assert "Leeds" not in str(created)
    (refused,) = outcomes(project, "--run", nights[0].json["run_id"], "--kind", "refused")
    assert (refused["type"], refused["sent"]) == ("245", [])
    assert refused["key"] == "l***@e***.org"


def test_a_key_is_followed_through_all_runs(project: Project, nights: list[Result]) -> None:
    found = outcomes(project, "--key", "lead1@example.org")
    assert [(one["run_id"], one["outcome"]) for one in found] == [
        (nights[0].json["run_id"], "created"),
        (nights[2].json["run_id"], "edited"),
    ]
    held = outcomes(project, "--key", REFUSED)
    assert [one["outcome"] for one in held] == ["refused", "held_back", "held_back"]


def test_outcomes_are_written_as_csv_for_their_owner_alone(project: Project, nights: list[Result]) -> None:
    done = project.command("outcomes", "p.yaml", "--csv", "out.csv")
    assert done.code == 0
    written = project.folder / "out.csv"
    assert written.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(io.StringIO(written.read_text())))
    assert [row["key"] for row in rows if row["outcome"] == "edited"] == ["lead1@example.org"]


def test_a_forgotten_person_has_no_outcomes(project: Project, nights: list[Result]) -> None:
    assert outcomes(project, "--key", "lead1@example.org")
    assert outcomes(project, "--key", "lead5@example.org")
    for who in ("lead1@example.org", "lead5@example.org"):
        assert project.command("state", "forget", "p.yaml", who).code == 0
        assert outcomes(project, "--key", who) == []
    assert project.run().code == 3
    for who in (b"lead1@example.org", b"lead5@example.org"):
        assert who not in project.state.read_bytes()


def test_rejects_say_since_when_and_how_often(project: Project, nights: list[Result]) -> None:
    found = {(one["row"], one["kind"]): one for one in rejects(project).json["rejects"]}
    times = {kind: one["times"] for (_, kind), one in found.items() if one["since"]}
    assert times["held_back"] == 3
    assert times["blocked"] == 3
    (new,) = [one for one in found.values() if one["since"] is None and one["kind"] == "invalid"]
    assert new["times"] == 1


def test_rejects_of_an_earlier_run_and_of_one_kind(project: Project, nights: list[Result]) -> None:
    found = rejects(project, "--run", nights[0].json["run_id"], "--kind", "refused", "--show").json["rejects"]
    assert [(one["key"], one["type"]) for one in found] == [(REFUSED, "245")]
    assert rejects(project, "--kind", "refused").json["rejects"] == []


def test_a_run_whose_refusals_are_all_known_says_so_apart(project: Project, nights: list[Result]) -> None:
    assert nights[0].json["refusals"] == {"new": 2, "known": 0}
    assert nights[1].json["refusals"] == {"new": 0, "known": 2}
    assert nights[2].json["refusals"] == {"new": 1, "known": 2}
    assert rejects(project, "--new-only").code == 3
    again = project.run("--new-only")
    assert (again.code, again.json["status"]) == (0, "partial")
    assert project.command("rejects", "p.yaml", "--new-only").stdout == "nothing new since the run before\n"
    assert "all known since the run before" in project.command("run", "p.yaml").stdout
    assert project.run().code == 3


def test_a_mended_file_of_rejects_is_loaded_with_the_same_mapping(
    project: Project, sandbox: Sandbox, nights: list[Result]
) -> None:
    assert project.command("rejects", "p.yaml", "--csv", "again.csv").code == 0
    again = project.folder / "again.csv"
    with again.open(newline="") as handle:
        header, *rows = csv.reader(handle)
    assert header[:2] == ["kartra-sync: why not sent", "kartra-sync: key"]
    place = header.index("Email")
    mended = [row for row in rows if row[place] in ("nobody", "no one")]
    assert len(mended) == 2
    for number, row in enumerate(mended):
        row[0] = "opted out: said the reason that is none of the person's"
        row[place] = f"mended{number}@example.org"
    with again.open("w", newline="") as handle:
        csv.writer(handle).writerows([header, *mended])
    retried = project.command("retry", "p.yaml", "again.csv", "--json")
    assert retried.code == 0, retried.stderr
    assert retried.json["leads"]["created"] == 2
    assert retried.json["leads"]["removed"] == 0
    mended_lead = sandbox.account.lead("mended0@example.org")
    assert mended_lead is not None
    assert "Imported" in mended_lead.tags


def test_what_was_refused_is_known_after_a_retry_as_well(project: Project, nights: list[Result]) -> None:
    project.command("rejects", "p.yaml", "--csv", "again.csv")
    assert project.command("retry", "p.yaml", "again.csv").code == 3
    assert project.run("--new-only").code == 0


def test_outcomes_are_kept_as_long_as_the_file_says(project: Project, nights: list[Result]) -> None:
    file = project.folder / "p.yaml"
    file.write_text(f"keep: 1h\n{file.read_text()}")
    assert "keep" in project.run().stderr + project.run().stdout
    file.write_text(file.read_text().replace("keep: 1h", "keep: 2d"))
    assert project.run().code == 3
    assert outcomes(project, "--run", nights[0].json["run_id"])
    _let_days_pass(project, 3)
    project.run()
    assert outcomes(project, "--run", nights[0].json["run_id"]) == []


def _let_days_pass(project: Project, days: int) -> None:
    beside(project.state)(f"UPDATE runs SET started_at = datetime(started_at, '-{days} days')")
    beside(project.state)(f"UPDATE outbox SET settled_at = datetime(settled_at, '-{days} days')")


def test_a_run_that_is_not_there_is_told(project: Project, nights: list[Result]) -> None:
    done = project.command("outcomes", "p.yaml", "--run", "2001")
    assert done.code == 2
    assert "no run begins with 2001" in done.stderr
    assert Path(project.state).exists()


def test_each_lead_of_a_run_that_was_as_wished_has_its_outcome_too(
    project: Project, nights: list[Result]
) -> None:
    as_wished = [["lead1@example.org", "lead2@example.org"], ["lead2@example.org", "lead6@example.org"]]
    for night, keys in zip(nights[1:], as_wished, strict=True):
        run = ("--run", night.json["run_id"])
        found = project.command("outcomes", "p.yaml", *run, "--show", "--json").json
        assert found["unchanged"] == night.json["leads"]["unchanged"] == 2
        rows = [one for one in found["outcomes"] if one["outcome"] == "unchanged"]
        assert sorted(one["key"] for one in rows) == keys
        assert [(one["sent"], one["reason"], one["run_id"]) for one in rows] == [([], None, run[1])] * 2
        assert project.command(
            "outcomes", "p.yaml", *run, "--kind", "unchanged", "--show", "--json"
        ).json == {
            "unchanged": 2,
            "outcomes": rows,
        }
    accounted = sum(night.json["rows"]["read"] for night in nights)
    assert (
        len([one for night in nights for one in outcomes(project, "--run", night.json["run_id"])])
        == accounted
    )
    assert "unchanged" not in project.command("outcomes", "p.yaml", "--kind", "invalid", "--json").json
    (one,) = outcomes(project, "--run", nights[1].json["run_id"], "--key", "lead1@example.org")
    assert one["outcome"] == "unchanged"


def test_a_screen_counts_them_and_a_file_lists_them(project: Project, nights: list[Result]) -> None:
    told = project.command("outcomes", "p.yaml").stdout.splitlines()
    assert told[-1] == "2 leads as wished already: --kind unchanged lists them"
    assert not any("unchanged" in line for line in told[:-1])
    assert project.command("outcomes", "p.yaml", "--csv", "out.csv").code == 0
    rows = list(csv.DictReader(io.StringIO((project.folder / "out.csv").read_text())))
    assert [row["key"] for row in rows if row["outcome"] == "unchanged"] == [
        "lead2@example.org",
        "lead6@example.org",
    ]


def test_who_is_known_and_was_not_read_is_not_said_to_be_as_wished(
    project: Project, sandbox: Sandbox, nights: list[Result]
) -> None:
    project.contacts([contact(1, City="Oslo"), contact(2, City="Bern"), contact(6, City="Bonn")])
    leads = project.run("--only", "lead6@example.org").json["leads"]
    assert (leads["edited"], leads["unchanged"], leads["deferred"]) == (1, 1, 1)
    chosen = project.command("outcomes", "p.yaml", "--json").json
    assert [one["outcome"] for one in chosen["outcomes"]] == ["edited"]
    project.contacts([contact(2), contact(6, City="Bonn")])
    left = project.run()
    assert left.json["leads"]["unchanged"] == 2
    found = outcomes(project, "--kind", "unchanged", "--show")
    assert {one["key"] for one in found} == {f"lead{number}@example.org" for number in (1, 2, 6)}
    assert {one["reason"] for one in found} == {
        "nothing was sent: as wished already, or not in the source any more"
    }
    assert project.command("retry", "p.yaml", "contacts.csv", "--json").json["leads"]["unchanged"] == 2
    assert outcomes(project, "--kind", "unchanged") == []
    first = outcomes(project, "--run", nights[1].json["run_id"], "--kind", "unchanged", "--show")
    assert {one["key"] for one in first} == {"lead1@example.org", "lead2@example.org"}
