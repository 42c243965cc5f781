"""What a rebuild says beside its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Rebuilt:
    """For the report and the review.

    Attributes:
        accounts: of every system what its staging counted, by its name.
        counts: further numbers, in words.
        review: rows of review.csv.
    """

    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    review: list[dict[str, object]] = field(default_factory=list)
