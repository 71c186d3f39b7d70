import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.changes.identity import Evidence, Verdict, names_of

NAMES = frozenset({"0 VIP", "0 Customer", "1 News", "1 Old"})


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (Evidence(matched=5), Verdict.SAME),
        (Evidence(matched=1), Verdict.SAME),
        (Evidence(matched=1, absent=4), Verdict.SAME),  # people delete leads
        (Evidence(matched=2, differing=2), Verdict.SAME),  # and change addresses
        (Evidence(matched=1, differing=4), Verdict.UNSURE),  # leads of two accounts in one state
        (Evidence(matched=5, names_known=NAMES), Verdict.SAME),  # names are renamed and removed
        (Evidence(absent=3), Verdict.OTHER),
        (Evidence(differing=5), Verdict.OTHER),
        (Evidence(differing=2, absent=1), Verdict.OTHER),
        (Evidence(differing=1), Verdict.UNSURE),
        (Evidence(absent=2), Verdict.UNSURE),
        (Evidence(absent=5, names_known=NAMES, names_listed=NAMES), Verdict.OTHER),  # an agency copies names
        (Evidence(names_known=NAMES, names_listed=NAMES), Verdict.UNSURE),
        (Evidence(names_known=NAMES, names_listed=frozenset({"0 Other"})), Verdict.OTHER),
        (Evidence(names_known=frozenset({"0 VIP"})), Verdict.UNSURE),
        (Evidence(), Verdict.UNSURE),
    ],
)
def test_an_account_is_recognised_by_what_it_holds(evidence: Evidence, verdict: Verdict) -> None:
    assert evidence.verdict is verdict


@given(st.builds(Evidence, *[st.integers(0, 5)] * 3, *[st.frozensets(st.sampled_from(sorted(NAMES)))] * 2))
def test_names_alone_never_prove_an_account(evidence: Evidence) -> None:
    assert evidence.verdict is not Verdict.SAME or evidence.matched


def test_a_tag_and_a_list_of_one_name_are_two_names() -> None:
    assert names_of(["News"], ["News"]) == {"0 News", "1 News"}
