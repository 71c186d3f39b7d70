"""P8: a changed key column is a move of what is known: nobody is created, edited or taken for gone by it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project, Result
from tests.promises.scenes import Scenes, Seen, adds_up, run_seen

SCENES = Scenes()
LOAD = """\
source: {csv: contacts.csv}
fields: {email: Email, city: City}
tags: [Imported]
points: 10
sequences: [{name: Onboarding, step: "1"}]
consent: {attested: "sign-up form"}
on_removed: [untag]
guards: {max_removed: 100%}
"""
EMAIL, ID, NUMBER = "key: email\n", "key: {column: Id}\n", "key: {column: Number}\n"
NAMES = ("ann", "bob", "cem", "dee")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def row(number: int, **changes: str) -> dict[str, str]:
    plain = {
        "Id": str(number),
        "Number": str(len(NAMES) + 1 - number),  # the same numbers, of other people
        "Email": f"{NAMES[number - 1]}@example.org",
        "City": "Lyon",
    }
    return {**plain, **changes}


ALL = [row(number) for number in range(1, 5)]
Rows = Sequence[dict[str, str]]


def without(rows: Rows, *columns: str) -> list[dict[str, str]]:
    return [{name: cell for name, cell in one.items() if name not in columns} for one in rows]


def given(sandbox: Sandbox) -> list[tuple[str, int, int, bool]]:
    """Of each lead its address, points, starts of the sequence, and whether it has the tag."""
    with sandbox.lock:
        return sorted(
            (lead.email, lead.score, len(lead.sequence_starts), "Imported" in lead.tags)
            for lead in sandbox.account.leads.values()
        )


@dataclass
class Told:
    plan: Result
    seen: list[Seen]
    given: list[tuple[str, int, int, bool]]


def changed(first: tuple[str, Rows], *then: tuple[str, Rows]) -> object:
    """A first run, then one for each of these keys and rows, the first of them planned before."""

    def scene(project: Project, sandbox: Sandbox) -> Told:
        key, rows = first
        project.pipeline(key + LOAD)
        project.contacts(rows)
        assert project.run().code == 0
        plan: Result | None = None
        seen = []
        for key, rows in then:
            project.pipeline(key + LOAD)
            project.contacts(rows)
            plan = plan or project.command("plan", "p.yaml", "--json")
            seen.append(run_seen(project, sandbox))
        assert plan is not None
        return Told(plan, seen, given(sandbox))

    return scene


AS_THEY_WERE = sorted((f"{name}@example.org", 10, 1, True) for name in NAMES)
MOVES = {
    "address to number": changed((EMAIL, ALL), (ID, ALL), (ID, ALL)),
    "number to address": changed((ID, ALL), (EMAIL, ALL), (EMAIL, ALL)),
    "number to another one that overlaps": changed((ID, ALL), (NUMBER, ALL), (NUMBER, ALL)),
    "number to another one, the first is gone": changed(
        (ID, ALL), (NUMBER, without(ALL, "Id")), (NUMBER, without(ALL, "Id"))
    ),
    "there and back": changed((EMAIL, ALL), (ID, ALL), (EMAIL, ALL)),
    "another order of rows": changed((EMAIL, ALL), (ID, ALL[::-1]), (ID, ALL)),
}
for _name, _scene in MOVES.items():
    SCENES.add(_scene, _name)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MOVES)
def test_p8_under_another_key_nobody_is_sent_to_and_the_plan_says_so(scenes: Scenes, name: str) -> None:
    told: Told = scenes[name]
    assert told.plan.json["leads"]["unchanged"] == 4
    (note,) = [note for note in told.plan.json["notes"] if "the key was" in note]
    assert "4 known leads are found again" in note
    for seen in told.seen:
        assert (seen.result.code, seen.leads, seen.calls) == (0, {"unchanged": 4}, []), seen.result.stderr
        assert adds_up(seen.result)
    assert told.given == AS_THEY_WERE


MOVED = row(1, Email="ann2@example.org")
SCENES.add(changed((EMAIL, ALL), (ID, ALL), (ID, [MOVED, *ALL[1:]])), "an address changes later")  # type: ignore[arg-type]
SCENES.add(changed((ID, ALL), (EMAIL, [MOVED, *ALL[1:]])), "an address changes with the key")  # type: ignore[arg-type]
SCENES.add(
    changed((EMAIL, ALL), (ID, [MOVED, *ALL[1:]]), (EMAIL, ALL), (ID, ALL)),  # type: ignore[arg-type]
    "nobody can tell",
)
SCENES.add(changed((EMAIL, ALL), (ID, ALL[:3]), (ID, ALL)), "one is gone and comes back")  # type: ignore[arg-type]
SCENES.add(
    changed((EMAIL, ALL), (ID, [*ALL[:3], row(4, Id="3")])),  # type: ignore[arg-type]
    "two leads share the new key",
)
SCENES.add(changed((EMAIL, ALL), (ID, [*ALL, row(1, Id="9")])), "one lead has two new keys")  # type: ignore[arg-type]


def test_p8_after_the_move_a_changed_address_edits_the_same_lead(scenes: Scenes) -> None:
    told: Told = scenes["an address changes later"]
    assert told.seen[-1].leads == {"edited": 1, "unchanged": 3}
    assert [email for email, *_ in told.given] == sorted(
        ["ann2@example.org", *(f"{name}@example.org" for name in NAMES[1:])]
    )
    assert all(rest == (10, 1, True) for _, *rest_ in told.given for rest in [tuple(rest_)])


def test_p8_by_the_former_key_that_the_source_still_has_a_changed_address_is_no_doubt(scenes: Scenes) -> None:
    told: Told = scenes["an address changes with the key"]
    assert told.seen[0].result.code == 0, told.seen[0].result.stderr
    assert told.seen[0].leads == {"edited": 1, "unchanged": 3}
    assert len(told.given) == 4


def test_p8_where_nobody_can_tell_the_run_stops_before_the_first_write_and_says_what_to_do(
    scenes: Scenes,
) -> None:
    told: Told = scenes["nobody can tell"]
    stopped, *mended = told.seen
    assert (stopped.result.code, stopped.calls) == (4, [])
    for words in ("the key was the address", "1 records and 1 known leads", "Run once with the address"):
        assert words in stopped.result.stderr
    assert [seen.result.code for seen in mended] == [0, 0]
    assert told.given == AS_THEY_WERE


def test_p8_who_was_not_in_the_source_when_the_key_changed_is_found_again_later(scenes: Scenes) -> None:
    told: Told = scenes["one is gone and comes back"]
    gone, back = told.seen
    assert gone.leads == {"unchanged": 3, "removed": 1}
    assert back.leads == {"unchanged": 3, "edited": 1}  # its tag again, and nothing else
    assert told.given == AS_THEY_WERE


@SCENES.add
def retried(
    project: Project, sandbox: Sandbox
) -> tuple[Result, list[Seen], list[tuple[str, int, int, bool]]]:
    """A few rows are retried before a run has found the others under the new key; then an address changes."""
    project.pipeline(EMAIL + LOAD)
    project.contacts(ALL)
    assert project.run().code == 0
    project.pipeline(ID + LOAD)
    project.contacts(ALL[:1], name="again.csv")
    retried = project.command("retry", "p.yaml", "again.csv")
    project.contacts(ALL)
    seen = [run_seen(project, sandbox)]
    project.contacts([*ALL[:3], row(4, Email="dee2@example.org")])
    return retried, [*seen, run_seen(project, sandbox)], given(sandbox)


def test_p8_a_few_rows_alone_do_not_stand_for_all_when_the_key_changes(scenes: Scenes) -> None:
    retried, (moved, edited), now = scenes["retried"]
    assert retried.code == 4
    assert "run first" in retried.stderr
    assert moved.leads == {"unchanged": 4}
    assert edited.leads == {"edited": 1, "unchanged": 3}
    assert now == sorted([*AS_THEY_WERE[:3], ("dee2@example.org", 10, 1, True)])


@pytest.mark.parametrize("name", ["two leads share the new key", "one lead has two new keys"])
def test_p8_what_cannot_be_paired_surely_stops_and_names_the_rows(scenes: Scenes, name: str) -> None:
    told: Told = scenes[name]
    (seen,) = told.seen
    assert (seen.result.code, seen.calls) == (4, [])
    assert "the rows" in seen.result.stderr
    assert told.given == AS_THEY_WERE


@SCENES.add
def refused_before(project: Project, sandbox: Sandbox) -> list[Seen]:
    """What Kartra refused stays refused under the new key."""
    sandbox.account.add_lead("taken@example.org")
    project.pipeline("sync_mode: create_only\n" + EMAIL + LOAD)
    project.contacts([*ALL, row(1, Id="5", Email="taken@example.org")])
    first = run_seen(project, sandbox)
    project.pipeline("sync_mode: create_only\n" + ID + LOAD)
    return [first, run_seen(project, sandbox)]


def test_p8_who_was_left_alone_is_left_alone_under_the_new_key(scenes: Scenes) -> None:
    first, second = scenes["refused_before"]
    assert first.leads == {"created": 4, "skipped": 1}
    assert (second.leads, second.calls) == ({"unchanged": 4, "skipped": 1}, [])
