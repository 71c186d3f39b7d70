"""A sandbox that behaves like Kartra's inbound API, to rehearse and to test on.

It shares no code with the client, so that it catches the client's mistakes. It follows
`connectors/kartra/reference.md`; where that is in doubt, `SandboxOptions` has the switch.
"""

from connectors.kartra.sandbox.account import (
    Account,
    Booking,
    Calendar,
    CustomField,
    Membership,
    PointsChange,
    SandboxLead,
    SequenceEntry,
    Subscription,
    Transaction,
)
from connectors.kartra.sandbox.emulator import ReceivedCall
from connectors.kartra.sandbox.options import Faults, SandboxOptions
from connectors.kartra.sandbox.sandbox import Credentials, Sandbox, serve_forever
from connectors.kartra.sandbox.seed import demo_account

__all__ = [
    "Account",
    "Booking",
    "Calendar",
    "Credentials",
    "CustomField",
    "Faults",
    "Membership",
    "PointsChange",
    "ReceivedCall",
    "Sandbox",
    "SandboxLead",
    "SandboxOptions",
    "SequenceEntry",
    "Subscription",
    "Transaction",
    "demo_account",
    "serve_forever",
]
