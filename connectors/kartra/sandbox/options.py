"""How a sandbox behaves: open questions of `reference.md` as switches, and the faults it can be asked for."""

import math
from dataclasses import dataclass
from typing import Literal

FaultName = Literal[
    "cut_before",
    "cut_after",
    "silence",
    "bad_gateway_before",
    "bad_gateway_after",
    "not_json",
    "php_notice",
    "maintenance",
    "firewall",
    "proxy",
    "trickle",
    "throttle",
    "slow",
    "missing_entry",
    "object_actions",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Each named fault is a share (0..1) of the calls; one call gets at most one of them."""

    cut_before: float = 0.0  # the connection is closed, nothing was done
    cut_after: float = 0.0  # everything was done, then the connection is closed
    silence: float = 0.0  # everything was done, no answer until the client gives up
    bad_gateway_before: float = 0.0  # 502 in HTML, nothing was done
    bad_gateway_after: float = 0.0  # 502 in HTML, everything was done
    not_json: float = 0.0  # 200 in HTML, everything was done
    php_notice: float = 0.0  # the right answer behind a notice of PHP
    maintenance: float = 0.0  # 503 in HTML, nothing was done
    firewall: float = 0.0  # 403 in HTML, nothing was done
    proxy: float = 0.0  # 407 in HTML, as a proxy on the way answers, nothing was done
    trickle: float = 0.0  # everything was done, and the answer comes byte by byte, `trickle_s` apart
    throttle: float = 0.0  # 429, nothing was done
    slow: float = 0.0  # the right answer, `slow_s` later
    missing_entry: float = 0.0  # `actions` of the answer lacks its last entry
    object_actions: float = 0.0  # `actions` of the answer is an object {"0": …}
    slow_s: float = 2.0
    trickle_s: float = 0.5
    seed: int = 0
    commands: frozenset[str] | None = None  # only calls that hold one of these; get_lead counts as one
    from_call: int = 1  # by number of the received call, both ends included
    to_call: int | None = None

    def __post_init__(self) -> None:
        shares = self.shares().values()
        if min(shares) < 0 or math.fsum(shares) > 1:
            raise ValueError("shares of faults are 0..1 and together at most 1")

    def shares(self) -> dict[FaultName, float]:
        return {
            "cut_before": self.cut_before,
            "cut_after": self.cut_after,
            "silence": self.silence,
            "bad_gateway_before": self.bad_gateway_before,
            "bad_gateway_after": self.bad_gateway_after,
            "not_json": self.not_json,
            "php_notice": self.php_notice,
            "maintenance": self.maintenance,
            "firewall": self.firewall,
            "proxy": self.proxy,
            "trickle": self.trickle,
            "throttle": self.throttle,
            "slow": self.slow,
            "missing_entry": self.missing_entry,
            "object_actions": self.object_actions,
        }

    def concern(self, number: int, commands: tuple[str, ...]) -> bool:
        """May a call with this number and these commands be hit?"""
        if number < self.from_call or (self.to_call is not None and number > self.to_call):
            return False
        return self.commands is None or not self.commands.isdisjoint(commands)


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxOptions:
    """Sections are those of `connectors/kartra/reference.md`; every default is what it calls most likely."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    calls_per_second: int = 20  # §2.1; 0: no limit
    latency_s: float = 0.0  # between the effect and the answer, whatever the answer is
    latency_jitter_s: float = 0.0  # up to this much on top of the latency
    way_jitter_s: float = 0.0  # up to this much passes before a call has arrived, and is counted
    mode: Literal["live", "test"] = "live"  # §2.2
    rewrite_lookups: bool = False  # §2.2: Test mode rewrites looked-up addresses too
    chain_errors: Literal["flat", "nested", "flat_goes_on"] = "flat"  # §3.3; the last: and all run
    lone_actions: Literal["actions", "flat", "fragment"] = "actions"  # §3.1: shapes S2, S1, S3 of one action
    wording: Literal["current", "older"] = "current"  # §3.4
    unsubscribe_type: Literal["101", "102"] = "101"  # §3.4: success of unsubscribe_lead_from_list
    integer_types: bool = False  # §3.2: `type` as an integer
    effect_delay_s: float = 0.0  # §3.4: lists, sequences, refunds show this much late
    late_effects: Literal["lists", "all"] = "lists"  # whether fields, tags and points show late as well
    inventories: Literal["top", "actions"] = "top"  # §3.1: where the lists of an account sit, S4 or S2
    leadless_chains: Literal["all", "206", "last"] = "all"  # §4.7: several commands by id in one call
    php_lists: bool = False  # §6.2: lists as objects of rows, empty ones as ""
    empty_parts: Literal["show", "leave_out"] = "show"  # §6.2: an empty list of a profile, or no key at all
    unknown_command: Literal["ignore", "254"] = "ignore"  # §4.11
    missing_lead: Literal["206", "223"] = "206"  # §1.3: no `lead` at all beside a command about a lead
    firewall: bool = False  # §1.1: a call with markup in it is answered 403 by something in front
    text_limit: int = 0  # §5.1.1: characters of a text that are kept; 0: all
    field_limits: tuple[tuple[str, int], ...] = ()  # as text_limit, by field; custom fields by their type
    emoji: Literal["keep", "drop", "cut"] = "keep"  # §5.1.1: a text goes on without them, or ends there
    markup: Literal["keep", "strip"] = "keep"  # §5.1.1: what stands in angle brackets
    line_breaks: Literal["keep", "blank"] = "keep"  # §5.1.1
    drop_option: str = ""  # §7.3: an option that no custom field keeps, though it says so
    ignore_tag: str = ""  # §10.6: assign_tag of this one succeeds and does nothing
    memberships: Literal["name", "membership_name"] = "name"  # §6.2
    clock_offset_s: float = 0.0  # how far the server's clock is ahead of this machine's
    wrong_order: Literal["206", "243"] = "206"  # §4.3: a lead command behind other actions
    empty_field: Literal["clear", "keep"] = "clear"  # §5.1.1: an empty standard field in edit_lead
    unknown_option: Literal["ignore", "271"] = "ignore"  # §7.3
    transaction_extras: bool = True  # §8.2: the fields marked J
    est: Literal["fixed", "new_york"] = "fixed"  # §8.5: UTC-5 all year, or with daylight saving
    case_sensitive_names: bool = True  # §10.12
    allow_json: bool = False  # §1.1: JSON bodies, and credentials in the query string
    require_https: bool = False  # §1.1: every call that comes over http is answered 201
    faults: Faults = Faults()

    def __post_init__(self) -> None:
        waits = (self.latency_s, self.latency_jitter_s, self.way_jitter_s, self.effect_delay_s)
        if self.calls_per_second < 0 or min(waits) < 0:
            raise ValueError("limits, latencies and delays are not negative")
        if self.text_limit < 0:
            raise ValueError("a text keeps 0 characters (all) or more")
