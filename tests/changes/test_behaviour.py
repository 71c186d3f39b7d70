"""What a doctor found: it survives its text, and what is out of date makes no run less careful."""

import json

from hypothesis import given
from hypothesis import strategies as st

from connectors.kartra.wordings import starred
from pipelines.changes.behaviour import Behaviour, too_long
from pipelines.changes.diff import Change
from pipelines.changes.judgement import Verdict, judged
from pipelines.config.kartra import KartraConfig

SHOWN = st.dictionaries(st.sampled_from(["fields", "points", "tags", "lists"]), st.none() | st.floats(0, 1e6))


@given(shown=SHOWN, configured=st.floats(1, 600))
def test_a_run_never_waits_shorter_than_its_file_says_nor_longer_than_a_file_may(
    shown: dict[str, float | None], configured: float
) -> None:
    assert configured <= Behaviour(shows_within_s=shown).settle_s(configured) <= 600


def test_it_is_read_as_it_was_written_and_another_text_is_none() -> None:
    found = Behaviour(mode="test", permissions={"get_lead": True}, lengths={"city": 50}, tried_length=255)
    assert Behaviour.from_json(found.to_json()) == found
    assert [Behaviour.from_json(text) for text in (None, "", "[]", '{"mode": "maybe"}')] == [None] * 4
    later = json.dumps({**json.loads(found.to_json()), "of a later version": 1})
    assert Behaviour.from_json(later) == found


def test_a_chain_is_known_only_where_it_stops_and_effects_showed_at_once() -> None:
    at_once, late = {"fields": 0.1, "points": 0.9}, {"fields": 0.1, "lists": 1.1}
    assert Behaviour(chain_goes_on=False, shows_within_s=at_once).is_chain_known
    for other in (
        Behaviour(chain_goes_on=True, shows_within_s=at_once),
        Behaviour(chain_goes_on=None, shows_within_s=at_once),
        Behaviour(chain_goes_on=False, shows_within_s=late),
        Behaviour(chain_goes_on=False),
    ):
        assert not other.is_chain_known


def test_a_text_is_too_long_from_the_first_character_that_is_cut() -> None:
    change = Change(
        fields={"first_name": "x" * 51, "city": "y" * 50},
        custom_fields={"note": "z" * 11, "size": "z" * 99, "fruits": ("z" * 99,)},
    )
    types = {"note": "input_field", "size": "drop_down", "fruits": "checkbox"}
    assert list(too_long(change, {"first_name": 50, "city": 50, "input_field": 10}, types)) == [
        ("first_name", 50),
        ("note", 10),
    ]
    assert list(too_long(change, {}, types)) == []


def test_what_was_not_found_out_is_said_and_nothing_else_is_claimed() -> None:
    rows = judged(Behaviour(), KartraConfig())
    assert {row.verdict for row in rows} == {Verdict.OPEN}
    assert len({row.what for row in rows}) == len(rows)


def test_an_unknown_message_keeps_only_words_of_kartras_own() -> None:
    said = 'List "Zofia & Sons" does not exist for zofia@wanderlust.example, Acme Ltd'
    assert starred(said) == "List * * * does not exist for * * *"
