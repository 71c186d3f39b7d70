"""What an account has, as Kartra listed it last."""

from datetime import UTC, datetime

from pipelines.state.store import Store


def test_inventories_are_kept_by_account_and_kind(store: Store) -> None:
    earliest = datetime.now(UTC)
    store.inventories.keep("acc", "tags", ["VIP", "Été"])
    store.inventories.keep("acc", "tags", ["VIP"])
    store.inventories.keep("other", "tags", ["Theirs"])
    stored = store.inventories.get("acc", "tags")
    assert stored is not None
    assert stored[1] == ["VIP"]
    assert earliest <= stored[0] <= datetime.now(UTC)
    assert store.inventories.get("acc", "lists") is None
    store.inventories.forget("acc")
    assert store.inventories.get("acc", "tags") is None
    assert store.inventories.get("other", "tags") is not None
