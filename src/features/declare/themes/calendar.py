"""Calendar: when in the year, and in the buyers' fiscal year, it is."""

from __future__ import annotations

from ..expressions import column
from ..feature import Feature
from ..vocabulary import Vocabulary


def features(_vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return (
        Feature("month", "calendar", "month", "month of the year", "月", column("month")),
        Feature(
            "quarter", "calendar", "quarter",
            "quarter of the year", "四半期", column("quarter"),
        ),
        Feature(
            "days_to_fiscal_year_end", "calendar", "days",
            "days to the end of the fiscal year", "年度末までの日数",
            column("days_to_fiscal_year_end"),
        ),
    )  # fmt: skip
