"""`run --only`, `--limit` and `--canary`: some leads alone, or a few first that are read back."""

import pytest

from connectors.kartra.sandbox import Account, Faults, Sandbox, SandboxOptions
from tests.command.several import adds_up, stored, writes
from tests.conftest import LOAD, Project, contact


def test_these_leads_alone_are_sent_and_the_others_stay_as_they_are(
    project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD + "on_removed: [untag]\nguards: {max_removed: 100%}\n")
    project.contacts([contact(number) for number in range(6)])
    (project.folder / "keys.txt").write_text("\ufefflead1@example.org\n\n LEAD3@Example.org \n", "utf-8")
    first = project.run("--only", "@keys.txt", "--only", "lead5@example.org", "--only", "who@example.org")
    assert first.code == 3, first.stderr
    assert sorted(stored(sandbox)) == [f"lead{number}@example.org" for number in (1, 3, 5)]
    assert (first.json["leads"]["created"], first.json["leads"]["deferred"]) == (3, 3)
    assert adds_up(first.json)
    assert first.json["notes"] == ["1 keys of --only are not in the source"]
    project.contacts([contact(number, City="Porto") for number in range(5)])
    changed = project.run("--only-file", "keys.txt")
    assert (changed.code, changed.json["leads"]["edited"], changed.json["leads"]["deferred"]) == (0, 2, 3)
    assert changed.json["leads"]["removed"] == 0
    assert "VIP" not in stored(sandbox)["lead5@example.org"]["tags"]
    rest = project.run().json["leads"]
    assert (rest["created"], rest["edited"], rest["unchanged"], rest["removed"]) == (3, 0, 2, 1)
    nobody = project.run("--only", "nobody@example.org")
    assert (nobody.code, "none of the 1 keys" in nobody.stderr) == (2, True)


def test_the_first_changes_in_the_order_of_the_source_are_sent(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in (1, 2)])
    assert project.run().code == 0
    project.contacts([contact(3), contact(1, City="Porto"), contact(2), contact(4), contact(5)])
    limited = project.run("--limit", "2").json
    assert (limited["status"], limited["leads"]["created"], limited["leads"]["edited"]) == ("succeeded", 1, 1)
    assert (limited["leads"]["unchanged"], limited["leads"]["deferred"]) == (1, 2)
    assert adds_up(limited)
    assert project.run().json["leads"]["created"] == 2
    assert len(stored(sandbox)) == 5


@pytest.fixture
def odd(account: Account) -> Sandbox:
    """An account that cuts texts at 50 characters, loses an option and ignores a tag."""
    options = SandboxOptions(calls_per_second=0, text_limit=50, drop_option="pear", ignore_tag="Blog")
    return Sandbox(account, options)


LONG = "a note that is longer than the fifty characters which are kept"


def test_a_few_that_come_back_otherwise_stop_the_others(project: Project, odd: Sandbox) -> None:
    project.pipeline(LOAD, kartra="settle_s: 1")
    rows = [contact(number, Fruits="apple", Tags="VIP", Note="short") for number in range(300)]
    rows[150] |= {"Note": LONG}
    rows[222] |= {"Fruits": "apple;pear"}
    rows[271] |= {"Tags": "Blog"}
    project.contacts(rows)
    with odd:
        project.aim(odd)
        stopped = project.run("--canary", "20")
        assert stopped.code == 4, stopped.stderr
        assert len(stored(odd)) == 20
        for told in (
            f"custom field note: Kartra kept the first 50 of {len(LONG)} characters."
            " Rule: note: {column: …, do: [{cut: 50}]}",
            'custom field fruits: Kartra does not show its option "pear"',
            'tag "Blog": Kartra shows nothing of it',
        ):
            assert told in stopped.stderr
        back = f"kartra-sync undo p.yaml {stopped.json['run_id']}"
        assert f"What the first ones got stays until it is taken back: {back}" in stopped.stderr
        assert LONG[:10] not in stopped.stderr + stopped.stdout
        assert (stopped.json["leads"]["created"], stopped.json["leads"]["deferred"]) == (20, 280)
        assert adds_up(stopped.json)
        mended = LOAD.replace("note: Note", "note: {column: Note, do: [{cut: 50}]}").replace(
            'fruits: {column: Fruits, split: ";"}',
            'fruits: {column: Fruits, do: [{split: ";"}, {map: {pear: ""}, else: keep}]}',
        )
        project.pipeline(mended + "canary: 5\n", kartra="settle_s: 1")
        rows[271] |= {"Tags": "VIP"}
        project.contacts(rows)
        done = project.run("--limit", "10")
        assert done.code == 0, done.stderr
        assert any(note.startswith("canary: ") and "came back as sent" in note for note in done.json["notes"])


def test_a_few_that_come_back_as_sent_let_the_others_go(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD + "canary: 3\n")
    project.contacts([contact(number) for number in range(7)])
    done = project.run()
    assert (done.code, done.json["leads"]["created"]) == (0, 7), done.stderr
    assert "canary: 3 leads were sent first and came back as sent" in done.json["notes"]
    first = [call.commands[0] for call in sandbox.calls if call.commands[0] in ("create_lead", "get_lead")]
    # one of the three is read for the mode that it shows, and all of them to be compared
    assert sorted(first[:7]) == ["create_lead"] * 3 + ["get_lead"] * 4
    assert first[7:] == ["create_lead"] * 4
    assert len(writes(sandbox)) == 7


@pytest.mark.full  # a read is tried again for half a minute
def test_who_cannot_be_read_back_did_not_come_back_as_sent(project: Project, account: Account) -> None:
    faults = Faults(silence=0, maintenance=1.0, commands=frozenset({"get_lead"}))
    with Sandbox(account, SandboxOptions(calls_per_second=0, faults=faults)) as served:
        project.aim(served)
        project.pipeline(LOAD, kartra="settle_s: 1")
        project.contacts([contact(number) for number in range(6)])
        stopped = project.run("--canary", "2")
        assert (stopped.code, "could not be" in stopped.stderr or "no usable answer" in stopped.stderr) == (
            4,
            True,
        )
        assert len(stored(served)) == 2


def test_a_run_of_some_leads_carries_out_no_operations(project: Project, sandbox: Sandbox) -> None:
    path = project.pipeline(LOAD)
    operations = """\
operations:
  source: {csv: rows.csv}
  do: give_points
  key: Number
  lead: {email: Email}
  parameters: {points: Points}
"""
    path.write_text(path.read_text("utf-8") + operations, encoding="utf-8")
    project.contacts([contact(1), contact(2)])
    project.contacts([{"Number": "1", "Email": "lead1@example.org", "Points": "5"}], name="rows.csv")
    some = project.run("--only", "lead1@example.org", "--yes")
    assert some.code == 0, some.stderr
    assert "operations are left to a run of all leads" in some.json["notes"]
    given = [call for call in writes(sandbox) if "give_points_to_lead" in call.commands]
    assert given == []
    assert project.run("--yes").json["operations"]["done"] == 1
