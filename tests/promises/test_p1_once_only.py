"""P1 for what may happen at most once: sequences, points, calendars. What nobody can prove is parked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.kartra.error_types import error_type
from connectors.kartra.sandbox import Faults, Sandbox
from connectors.kartra.sandbox.account import Booking, PointsChange, SandboxLead
from tests.conftest import LOAD, Project, contact, kill
from tests.promises.scenes import Scenes, Seen, adds_up, run_seen, wait_until

SCENES = Scenes()
LOADED = 12
INVENTORIES = 4
CLASS = "calendars Group classes: Yoga"
POINTS = "points: {column: Points, expiration_days: 30}\n"
CALENDAR = 'calendars: [{name: Group classes, class: Yoga, starting_at: "2035-01-16 18:00"}]\n'
QUICK = "settle_s: 2\ntimeout_s: 1"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def rows(count: int = LOADED, **changes: str) -> list[dict[str, str]]:
    return [contact(number, **{"Points": str(10 + number), **changes}) for number in range(count)]


def leads(sandbox: Sandbox) -> list[SandboxLead]:
    with sandbox.lock:
        return sorted(sandbox.account.leads.values(), key=lambda lead: int(lead.email[4:].split("@")[0]))


def given(lead: SandboxLead) -> list[int]:
    return [change.points for change in lead.points_log]


def resolve_truly(project: Project, sandbox: Sandbox) -> list[dict[str, Any]]:
    """A person looks every parked lead up, and says what became of it; gives what was parked."""
    parked: list[dict[str, Any]] = project.command("parked", "p.yaml", "--json", "--show").json["leads"]
    for one in parked:
        lead = sandbox.account.lead(one["key"])
        landed = lead is not None and bool(lead.calendar_log)
        answer = "--landed" if landed else "--not-landed"
        assert project.command("resolve", "p.yaml", one["key"], answer).code == 0
    return parked


# --- lost answers


@dataclass(frozen=True)
class Lost:
    first: Seen
    parked: list[dict[str, Any]]
    idle: Seen
    after: Seen
    leads: list[SandboxLead]


def lost(faults: Faults) -> Any:
    def scene(project: Project, sandbox: Sandbox) -> Lost:
        project.pipeline(LOAD + POINTS + CALENDAR, kartra=QUICK)
        project.contacts(rows())
        sandbox.set_faults(faults)
        first = run_seen(project, sandbox)
        sandbox.set_faults(Faults())
        idle = run_seen(project, sandbox)
        parked = resolve_truly(project, sandbox)
        return Lost(first, parked, idle, run_seen(project, sandbox), leads(sandbox))

    return scene


CREATES = frozenset({"create_lead"})
LOSSES = {
    "after the effect": Faults(cut_after=0.6, seed=2, commands=CREATES),
    "before the effect": Faults(cut_before=0.6, seed=2, commands=CREATES, to_call=INVENTORIES + LOADED),
    "silence": Faults(silence=0.6, seed=2, commands=CREATES),
    "no entry for the last action": Faults(missing_entry=0.6, seed=2, commands=CREATES),
}
for _name, _faults in LOSSES.items():
    SCENES.add(lost(_faults), _name)


@pytest.mark.parametrize("name", LOSSES)
def test_p1_points_classes_and_sequences_land_exactly_once_whatever_answers_are_lost(
    scenes: Scenes, name: str
) -> None:
    seen: Lost = scenes[name]
    assert [given(lead) for lead in seen.leads] == [[10 + number] for number in range(LOADED)]
    assert [lead.calendar_log for lead in seen.leads] == [
        [("calendar_subscribe", "Group classes", "Yoga")]
    ] * LOADED
    assert [lead.sequence_starts for lead in seen.leads] == [[("Onboarding", "1")]] * LOADED
    assert seen.after.leads == {"unchanged": LOADED}


def test_p1_only_what_no_profile_shows_is_parked_and_a_run_says_so(scenes: Scenes) -> None:
    seen: Lost = scenes["after the effect"]
    hit = sum(call.fault == "cut_after" for call in seen.first.calls)
    assert 3 <= hit == len(seen.parked)
    assert seen.first.leads == {"created": LOADED - hit, "parked": hit}
    assert {one["what"] for one in seen.parked} == {CLASS}
    assert seen.first.result.code == 3
    assert adds_up(seen.first.result)


def test_p1_a_call_that_never_arrived_is_sent_again_with_all_it_held(scenes: Scenes) -> None:
    seen: Lost = scenes["before the effect"]
    assert sum(call.fault == "cut_before" for call in seen.first.calls) >= 3
    assert (seen.first.leads, seen.parked) == ({"created": LOADED}, [])


def test_p1_what_is_parked_is_not_sent_while_nobody_has_said_what_became_of_it(scenes: Scenes) -> None:
    seen: Lost = scenes["after the effect"]
    assert seen.idle.calls == []
    assert seen.idle.leads == {"unchanged": LOADED - len(seen.parked), "parked": len(seen.parked)}


# --- points of leads that have some


@SCENES.add
def points_rise_and_fall(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen, list[SandboxLead]]:
    """Leads earn points of their own between the runs; half of the answers get lost."""
    project.pipeline(LOAD + POINTS, kartra=QUICK)
    project.contacts(rows())
    assert project.run().code == 0
    for lead in leads(sandbox):
        lead.score += 100
    sandbox.set_faults(Faults(cut_after=0.3, cut_before=0.3, commands=frozenset({"give_points_to_lead"})))
    project.contacts([{**row, "Points": str(int(row["Points"]) + 5)} for row in rows()])
    risen = run_seen(project, sandbox)
    sandbox.set_faults(Faults(cut_after=0.5, commands=frozenset({"remove_points_from_lead"})))
    project.contacts([{**row, "Points": "" if number == 0 else "3"} for number, row in enumerate(rows())])
    return risen, run_seen(project, sandbox), leads(sandbox)


def test_p1_points_of_a_known_lead_are_proven_by_its_score_before_and_after(scenes: Scenes) -> None:
    risen, fallen, after = scenes["points_rise_and_fall"]
    assert {call.fault for call in risen.calls} > {"cut_after", "cut_before"}
    assert (risen.leads, risen.result.code) == ({"edited": LOADED}, 0)
    assert (fallen.leads, fallen.result.code) == ({"edited": LOADED - 1, "unchanged": 1}, 0)
    assert [given(lead) for lead in after] == [[10, 5]] + [
        [10 + number, 5, -(12 + number)] for number in range(1, LOADED)
    ]
    assert [lead.score for lead in after] == [115] + [103] * (LOADED - 1)


@SCENES.add
def the_same_for_everybody(project: Project, sandbox: Sandbox) -> tuple[list[Seen], SandboxLead]:
    """A number of points and a class without a start; then more points, which expire."""
    booked = "calendars: [{name: Coaching, class: Monthly review}]\n"
    project.contacts(rows(1))
    seen = []
    for points in ("points: 10\n", "points: 10\n", "points: {constant: 17, expiration_days: 30}\n"):
        project.pipeline(LOAD + points + booked)
        seen.append(run_seen(project, sandbox))
    return seen, leads(sandbox)[0]


def test_p1_points_and_classes_for_everybody_are_given_once(scenes: Scenes) -> None:
    (first, idle, more), lead = scenes["the_same_for_everybody"]
    assert ([seen.leads for seen in (first, idle, more)], idle.calls) == (
        [{"created": 1}, {"unchanged": 1}, {"edited": 1}],
        [],
    )
    assert lead.points_log == [PointsChange(10), PointsChange(7, 30)]
    assert lead.bookings == [Booking("Coaching", "Monthly review")]


@SCENES.add
def points_known_leads_cost(project: Project, sandbox: Sandbox) -> Seen:
    project.pipeline(LOAD + POINTS)
    project.contacts(rows(3))
    assert project.run().code == 0
    project.contacts([*rows(1, Points="50", City="Oslo"), *rows(3)[1:]])
    return run_seen(project, sandbox)


def test_p3_more_points_for_a_known_lead_cost_one_look_and_one_call(scenes: Scenes) -> None:
    seen: Seen = scenes["points_known_leads_cost"]
    assert [call.commands for call in seen.calls] == [("get_lead",), ("edit_lead", "give_points_to_lead")]


@dataclass(frozen=True)
class Unproven:
    first: Seen
    edited: Seen
    refusals: list[Any]
    after: Seen
    lead: SandboxLead


def points_unproven(*, landed: bool) -> Any:
    def scene(project: Project, sandbox: Sandbox) -> Unproven:
        """The lead earns 7 points by itself while the answer to its 40 is lost."""
        project.pipeline(LOAD + POINTS, kartra=QUICK)
        project.contacts(rows(1))
        assert project.run().code == 0
        (lead,) = leads(sandbox)
        fault = Faults(silence=1.0) if landed else Faults(cut_before=1.0)
        sandbox.set_faults(
            Faults(
                silence=fault.silence,
                cut_before=fault.cut_before,
                commands=frozenset({"give_points_to_lead"}),
                to_call=len(sandbox.calls) + 2,
            )
        )
        project.contacts(rows(1, Points="50"))
        process = project.start("run", "p.yaml", "--json")
        wait_until(lambda: any(call.fault for call in sandbox.calls), "the call without an answer")
        with sandbox.lock:
            lead.score += 7
        assert process.wait(60) == 3
        process.communicate()
        first = run_seen(project, sandbox)
        project.contacts(rows(1, Points="60", City="Oslo"))
        edited = run_seen(project, sandbox)
        address = contact(0)["Email"]
        answers = ("--landed", "--not-landed") if landed else ("--not-landed", "--landed")
        refusals = [
            project.command("resolve", "p.yaml", address, answers[0], "--only", "points +41"),
            project.command("resolve", "p.yaml", address, answers[0]),
            project.command("resolve", "p.yaml", address, answers[1]),
        ]
        return Unproven(first, edited, refusals, run_seen(project, sandbox), lead)

    return scene


for _landed in (True, False):
    SCENES.add(points_unproven(landed=_landed), f"points landed {_landed}")


@pytest.mark.parametrize("landed", [True, False])
def test_p1_points_that_cannot_be_proven_wait_for_a_person_and_the_rest_goes_on(
    scenes: Scenes, landed: bool
) -> None:
    seen: Unproven = scenes[f"points landed {landed}"]
    assert (seen.first.leads, seen.first.calls) == ({"parked": 1}, [])
    assert seen.edited.leads == {"parked": 1}
    assert [call.commands for call in seen.edited.calls] == [("edit_lead",)]
    assert [one.code for one in seen.refusals] == [2, 0, 2]
    assert "points +40" in seen.refusals[0].stderr
    assert "nothing of this lead is unproven" in seen.refusals[2].stderr
    assert seen.after.leads == {"edited": 1}
    assert given(seen.lead) == ([10, 40, 10] if landed else [10, 50])
    assert seen.lead.score == 67


# --- a process that dies


@SCENES.add
def killed_with_classes_in_flight(project: Project, sandbox: Sandbox) -> Lost:
    """Six calls have no answer when the process dies: every second one has landed. Then the rows change."""
    project.pipeline(LOAD + POINTS + CALENDAR, kartra=QUICK + "\nworkers: 6")
    project.contacts(rows(6))
    assert project.run().code == 0
    sandbox.set_faults(Faults(silence=1.0, commands=frozenset({"calendar_subscribe"})))
    project.pipeline(
        LOAD + POINTS + CALENDAR.replace("}]", "}, {name: Group classes, class: Breathing}]"),
        kartra="settle_s: 2\nworkers: 6",
    )
    process = project.start("run", "p.yaml", "--json")
    wait_until(lambda: sum(call.executed for call in sandbox.calls if call.fault) == 6, "six classes")
    kill(process)
    for lead in leads(sandbox)[::2]:
        lead.calendar_log.pop()
        lead.bookings.pop()
    sandbox.set_faults(Faults())
    project.contacts(rows(6, City="Oslo"))
    first = run_seen(project, sandbox)
    idle = run_seen(project, sandbox)
    parked: list[dict[str, Any]] = project.command("parked", "p.yaml", "--json", "--show").json["leads"]
    for one in parked:
        lead = sandbox.account.lead(one["key"])
        assert lead is not None
        project.command(
            "resolve", "p.yaml", one["key"], "--landed" if len(lead.calendar_log) == 2 else "--not-landed"
        )
    return Lost(first, parked, idle, run_seen(project, sandbox), leads(sandbox))


def test_p1_a_class_in_flight_at_a_kill_is_parked_and_never_guessed(scenes: Scenes) -> None:
    seen: Lost = scenes["killed_with_classes_in_flight"]
    assert seen.first.leads == {"parked": 6}
    assert [lead.fields["city"] for lead in seen.leads] == ["Oslo"] * 6
    assert (seen.idle.calls, seen.idle.leads) == ([], {"parked": 6})
    assert {one["what"] for one in seen.parked} == {"calendars Group classes: Breathing"}
    assert len(seen.parked) == 6
    assert (seen.after.leads, len(seen.after.calls)) == ({"unchanged": 3, "edited": 3}, 3)
    classes = [[name for _, _, name in lead.calendar_log] for lead in seen.leads]
    assert classes == [["Yoga", "Breathing"]] * 6
    assert [given(lead) for lead in seen.leads] == [[10 + number] for number in range(6)]


# --- what the account refuses whoever it is for


@dataclass(frozen=True)
class Held:
    first: Seen
    night: Seen
    told: list[dict[str, Any]]
    shown: str
    mended: Seen
    after: Seen
    again: Seen
    leads: list[SandboxLead]


@SCENES.add
def held_back(project: Project, sandbox: Sandbox) -> Held:
    """Its calendar is not completed, which Kartra tells with every call; later somebody completes it."""
    guards = "guards: {max_failed: 100%}\n"
    project.pipeline(LOAD + guards + "calendars: [{name: Retreat, class: Weekend}]", kartra="workers: 1")
    project.contacts(rows(30))
    first = run_seen(project, sandbox)
    night = run_seen(project, sandbox)
    told = project.command("parked", "p.yaml", "--json").json["held_back"]
    shown = project.command("parked", "p.yaml").stdout
    sandbox.account.calendars["Retreat"].completed = True
    mended = run_seen(project, sandbox)
    after = run_seen(project, sandbox)
    return Held(first, night, told, shown, mended, after, run_seen(project, sandbox), leads(sandbox))


def test_p6_a_cause_refused_again_and_again_is_held_back_and_everything_else_goes_on(scenes: Scenes) -> None:
    seen: Held = scenes["held_back"]
    assert seen.first.leads == {"rejected": 10, "parked": 20}
    assert sum("calendar_subscribe" in call.commands for call in seen.first.calls) == 10
    assert [lead.sequence_starts for lead in seen.leads] == [[("Onboarding", "1")]] * 30
    assert seen.first.result.code == 3
    assert adds_up(seen.first.result)


def test_p6_what_is_held_back_costs_the_next_run_one_probe(scenes: Scenes) -> None:
    seen: Held = scenes["held_back"]
    assert [call.commands for call in seen.night.calls] == [("calendar_subscribe",)]
    assert seen.night.leads == {"rejected": 1, "parked": 29}
    (told,) = seen.told
    assert (told["what"], told["type"]) == ("calendar_subscribe Retreat: Weekend", "257")
    assert told["reason"] == error_type("257").explanation
    assert f"{told['what']} (257: {told['reason']})" in seen.shown


def test_p6_once_it_works_again_everybody_gets_it_once(scenes: Scenes) -> None:
    seen: Held = scenes["held_back"]
    assert seen.mended.leads == {"edited": 19, "parked": 11}
    assert seen.after.leads == {"unchanged": 19, "edited": 11}
    assert (seen.again.leads, seen.again.calls) == ({"unchanged": 30}, [])
    assert [lead.calendar_log for lead in seen.leads] == [[("calendar_subscribe", "Retreat", "Weekend")]] * 30
