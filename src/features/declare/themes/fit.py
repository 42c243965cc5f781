"""Fit: what the account is, and what it is asked to buy."""

from __future__ import annotations

from ..expressions import column
from ..feature import Feature
from ..vocabulary import Vocabulary

LABELS = {
    "solution": ("solution", "ソリューション"),
    "industry": ("industry", "業種"),
    "country": ("country", "国"),
    "tier": ("account tier", "アカウントの階層"),
}


def features(_vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return (
        *(
            Feature(name, "fit", "category", *labels, column(name), categorical=True)
            for name, labels in LABELS.items()
        ),
        Feature("employees", "fit", "people", "employees", "従業員数", column("employees")),
    )
