"""What a leak probe found, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that may leak.

    Attributes:
        probe: which probe found it, a key of `REMEDIES`.
        thing: the feature, kind, column or account.
        figure: what the probe compares with its setting; `shown` has its unit.
        shown: the figure in words.
        sentence: the thing, the figure, and what to do.
    """

    probe: str
    thing: str
    figure: float
    shown: str
    sentence: str


REMEDIES: Mapping[str, str] = {
    "single feature": "Find out when its source is written; drop it if that is after the outcome.",
    "kind before outcome": (
        "Check that it is recorded when it happens, and is not the outcome by another name; "
        "otherwise leave the kind out of the export."
    ),
    "back-filled kind": (
        "Keep recorded_at filled for this kind, or leave the kind out of the export: without "
        "recorded_at, training sees what nobody knew in time."
    ),
    "slow records": (
        "Speed up the import, or expect scores to see such activity late; always fill "
        "recorded_at, without which training would see it too early."
    ),
    "column filled late": (
        "Check whether it is filled after the outcome; export it as it was before, or not at all."
    ),
    "members at outcome": (
        "Date members by when they were first seen, not by when the deal was made; roles tell "
        "nothing before the outcome as it is."
    ),
    "joins after stages": (
        "Date members by when they took part, not by when the deal moved; until then read roles as "
        "a record of its stages."
    ),
    "worth of late joins": (
        "Check that joined_at is not set back when people are entered; set [import] inferred_joins "
        "where it was inferred."
    ),
    "too few conversions": (
        "Look at the strongest features by hand, and probe again with a longer history; that "
        "nothing was found says little."
    ),
    "near-perfect ranking": (
        "Nothing real ranks so well: find the column that is written after the outcome, and leave "
        "it out."
    ),
    "placeholder account": (
        "Check whether it is a company; give its groups their real accounts, or leave them out."
    ),
}


def make_finding(probe: str, thing: str, figure: float, shown: str, observation: str) -> Finding:
    """A finding; `observation` is what its sentence begins with."""
    sentence = f"{probe}: {observation}. {REMEDIES[probe]}"
    return Finding(probe, thing, float(figure), shown, sentence)
