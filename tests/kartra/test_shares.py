"""Whose turn it is at the limit of an App: by share, soon, and without what was saved up."""

import threading
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from connectors.kartra.limiter import CallLimiter
from connectors.kartra.shares import Party, SharedLimiter, Turns

shares = st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=2, max_size=30)


@given(shares)
def test_who_waits_at_the_same_time_is_served_by_share_and_within_three_times_of_it(
    given: list[float],
) -> None:
    turns, parties = Turns(), [Party(share) for share in given]
    for party in parties:
        turns.come(party)
    whole = sum(given)
    served = Counter[int]()
    last = dict.fromkeys(range(len(parties)), 0)
    rounds = round(20 * whole)
    for number in range(1, rounds + 1):
        party = turns.next()
        assert party is not None
        turns.served(party)
        place = next(place for place, each in enumerate(parties) if each is party)
        served[place] += 1
        assert number - last[place] <= 3 * max(1.0, whole / party.share)
        last[place] = number
    for place, party in enumerate(parties):
        assert abs(served[place] - rounds * party.share / whole) <= 1 + party.share


def test_who_was_away_has_saved_nothing_up() -> None:
    turns, stayed, away = Turns(), Party(1), Party(1)
    turns.come(stayed)
    for _ in range(100):
        turns.served(stayed)
    turns.come(away)
    order = []
    for _ in range(10):
        party = turns.next()
        assert party is not None
        order.append(party is away)
        turns.served(party)
    assert sum(order) in (5, 6)


def test_who_gives_up_hands_its_turn_on_and_the_others_get_their_permits(tmp_path: Path) -> None:
    shared = SharedLimiter(CallLimiter(tmp_path / "window", calls_per_second=20))
    stop = threading.Event()
    got = Counter[str]()

    def take(name: str, share: float, count: int) -> None:
        account = shared.account(share)
        for _ in range(count):
            got[name] += bool(account.acquire(given_up=stop.is_set))

    impatient = shared.account(1)
    threads = [threading.Thread(target=take, args=(name, 1.0, 4)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    permits = [impatient.acquire(timeout_s=0.0) for _ in range(50)]
    for thread in threads:
        thread.join()
    shared.close()
    assert got == {"a": 4, "b": 4, "c": 4}
    assert permits == [0.0] * 50
