"""Merges the records of one key into one lead. Pure."""

from collections.abc import Mapping
from typing import Any

from pipelines.contacts.lead import DesiredLead
from pipelines.contacts.parts import ValueT
from pipelines.contacts.wishes import WISHES, wanted


def merge_leads(earlier: DesiredLead, later: DesiredLead) -> DesiredLead:
    """The lead of two records under `duplicates: merge`: later values win unless blank, names add up.

    If one record asks for a name and the other wants it gone, the later one counts.
    """
    asked: dict[str, Any] = {
        wish.collection: wish.merged(
            getattr(earlier, wish.collection),
            getattr(later, wish.collection),
            {name for kind, name in later.unwanted if kind == wish.collection},
        )
        for wish in WISHES
    }
    overruled = (earlier.overruled - wanted(later)) | later.overruled
    return DesiredLead(
        email=later.email,
        fields=_merged(earlier.fields, later.fields),
        custom_fields=_merged(earlier.custom_fields, later.custom_fields),
        silent=earlier.silent & later.silent,
        unwanted=(earlier.unwanted - wanted(later)) | later.unwanted,
        overruled=overruled,
        **asked,
    )


def _merged(earlier: Mapping[str, ValueT], later: Mapping[str, ValueT]) -> dict[str, ValueT]:
    return {**earlier, **{name: value for name, value in later.items() if value or name not in earlier}}
