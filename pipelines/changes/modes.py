"""Which mode an App was in, as the addresses show that Kartra has stored. Pure.

Nothing in a request or an answer says whether an App is in Test mode or Live (§2.2); Test mode stores every
address with another domain, and that shows in the profile of a lead that we created.
"""

from connectors.privacy import mask_address
from pipelines.changes.readback import TEST_DOMAIN, test_address
from pipelines.config.kartra import Mode
from pipelines.contacts.lead import Origin
from pipelines.errors import WrongModeError


def shown_mode(sent: str, stored: str) -> Mode | None:
    """The mode in which an address that we sent was stored; None where that does not tell."""
    sent, stored = sent.lower(), stored.lower()
    # Such an address looks the same in both modes.
    if sent.rpartition("@")[2] == TEST_DOMAIN:
        return None
    if stored == test_address(sent):
        return "test"
    return "live" if stored == sent else None


def other_mode(sent: str, stored: str, origin: Origin | None, mode: Mode) -> Mode | None:
    """The mode that a lead shows, where it is not that of the file.

    A lead that Kartra had before us keeps its address in Test mode, too: it proves nothing against that.
    """
    shown = shown_mode(sent, stored)
    if shown is None or shown == mode or (shown == "live" and origin != "created"):
        return None
    return shown


def wrong_mode(sent: str, shown: Mode, key: str | None = None) -> WrongModeError:
    """What a person is told. `key` is that of a lead that was created just now."""
    keys = frozenset() if key is None else frozenset({key})
    if shown == "test":
        return WrongModeError(
            f"Kartra has stored {mask_address(sent)} under @{TEST_DOMAIN}: the App is in Test mode, and this"
            " file says live. Nothing more is sent. Write `mode: test` under `kartra:` and run again: it goes"
            " on with what is known. Once the App is Live take the line out, and everybody is sent with their"
            " own address",
            shown=shown,
            keys=keys,
        )
    return WrongModeError(
        f"Kartra has stored {mask_address(sent)} as it was sent: the App is Live, and this file says"
        " mode: test. Nothing more is sent. Take `mode: test` out of `kartra:` and run again: it goes on with"
        " what is known",
        shown=shown,
        keys=keys,
    )
