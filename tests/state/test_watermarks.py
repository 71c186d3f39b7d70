"""Up to where an incremental source was read."""

from pipelines.state.store import Store
from tests.state.places import OpenStore


def test_a_watermark_moves_and_remembers_when_all_was_read(store: Store, open_store: OpenStore) -> None:
    assert store.watermarks.get() is None
    store.watermarks.move(b"query", '"2026-01-01"', is_full=True)
    first = store.watermarks.get()
    store.watermarks.move(b"query 2", '"2026-01-02"', is_full=False)
    second = store.watermarks.get()
    assert first is not None
    assert second is not None
    assert (second.source, second.highest, second.full_at) == (b"query 2", '"2026-01-02"', first.full_at)
    store.watermarks.move(b"query 2", '"2026-01-03"', is_full=True)
    third = store.watermarks.get()
    assert third is not None
    assert third.full_at > first.full_at
    with open_store(mode="test") as rehearsal:
        assert rehearsal.watermarks.get() is None
