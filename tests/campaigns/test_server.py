"""P1 where the state is on a server that dies, or is cut off: the small campaign."""

from pathlib import Path

from tests.campaigns import server

SEED = 1


def test_whatever_happens_to_the_server_nothing_is_lost_and_nothing_done_twice(tmp_path: Path) -> None:
    *kinds, ended = server.play("small", SEED, tmp_path)
    assert ended.failures == ()
    assert [kind.kills for kind in kinds] == [1] * len(server.KINDS)
    assert (ended.leads, ended.lost, ended.twice) == (server.LEADS, 0, 0)
