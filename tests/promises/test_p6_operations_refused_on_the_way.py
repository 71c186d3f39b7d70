"""P6: a row of operations that something in front of Kartra refuses night after night is a refusal."""

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from tests.conftest import Project
from tests.promises.scenes import run_seen

TAGGED = """operations:
  source: {csv: rows.csv}
  do: tag
  key: Key
  lead: {email: Email}
  parameters: {tag: Tag}
"""


def operations(project: Project, rows: list[dict[str, str]], *, kartra: str = "  settle_s: 1\n") -> None:
    project.contacts(rows, name="rows.csv")
    (project.folder / "p.yaml").write_text(f"{project.head}{kartra}{TAGGED}", encoding="utf-8")


def row(number: int, tag: str = "VIP") -> dict[str, str]:
    return {"Key": f"k{number}", "Email": f"p{number}@example.org", "Tag": tag}


@pytest.mark.parametrize("nights", [3])
def test_p6_an_operation_refused_before_kartra_in_two_runs_is_not_sent_for_ever(
    project: Project, sandbox: Sandbox, nights: int
) -> None:
    with sandbox.lock:
        for number in range(3):
            sandbox.account.add_lead(f"p{number}@example.org")
    operations(project, [row(0)])
    sandbox.set_faults(Faults(firewall=1.0, commands=frozenset({"assign_tag"})))
    seen = [run_seen(project, sandbox) for _ in range(nights)]
    sent = [sum("assign_tag" in call.commands for call in one.calls) for one in seen]
    outcomes = [one.result.json["operations"] for one in seen]
    assert sent == [6, 2, 0], outcomes
    told = project.command("rejects", "p.yaml", "--json").json["rejects"]
    assert any("in two runs now" in one["reason"] and "403" in one["reason"] for one in told)
    sandbox.set_faults(Faults())
    operations(project, [row(0, "Blog")])  # another wish under the key of one that was never carried out
    mended = run_seen(project, sandbox)
    assert mended.held["p0@example.org"]["tags"] == {"Blog"}


def test_p6_where_no_operation_gets_through_none_is_refused(project: Project, sandbox: Sandbox) -> None:
    with sandbox.lock:
        for number in range(3):
            sandbox.account.add_lead(f"p{number}@example.org")
    operations(project, [row(number) for number in range(3)])
    sandbox.set_faults(Faults(firewall=1.0, commands=frozenset({"assign_tag"})))
    for _ in range(2):
        assert run_seen(project, sandbox).result.code != 70
    sandbox.set_faults(Faults())
    mended = run_seen(project, sandbox)
    assert [mended.held[f"p{number}@example.org"]["tags"] for number in range(3)] == [{"VIP"}] * 3


def test_p5_an_app_that_may_not_list_tags_carries_operations_out_and_says_so(
    project: Project, sandbox: Sandbox
) -> None:
    with sandbox.lock:
        sandbox.account.add_lead("p0@example.org")
    sandbox.account.allowed_commands = {"assign_tag", "get_lead", "search_lead"}
    operations(project, [row(0)])
    done = run_seen(project, sandbox)
    assert done.result.code == 0, done.result.stderr
    assert done.held["p0@example.org"]["tags"] == {"VIP"}
    assert any("may not list tags (262)" in note for note in done.result.json["notes"])
