"""The portfolio: every scored group as one line, the readiest first."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..contract import BadInput
from ..explain.words import Words
from .charts import Gauge, gauge, scale_end
from .names import Names
from .scoring import Scored

MAX_PAGES = 500
"""Groups with a page of their own, the readiest ones."""

MAX_LISTED = 2000
"""Groups in the portfolio's table, the readiest ones."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A group in the portfolio.

    Attributes:
        score: its row of the scores table.
        account: the account's name.
        solution: the solution's name.
        gauge: its readiness on the portfolio's scale.
        strongest: name and points of the member who adds most; None where nobody is in it.
        page: file name of its page under `groups`; None beyond the limit.
    """

    score: Row
    account: str
    solution: str
    gauge: Gauge
    strongest: tuple[str, float] | None
    page: str | None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """All groups together.

    Attributes:
        as_of: the cut-off.
        model_version: of the model that scored.
        groups: how many were scored.
        statuses: how many of each status, most frequent first.
        loosest: the lowest readiness from which a group of these qualifies.
        strictest: the highest; 1 where none qualifies.
        scale: where the readiness scale of every page ends, 0..1.
        lines: the readiest groups by rank.
        pages: how many of them have a page.
    """

    as_of: datetime
    model_version: str
    groups: int
    statuses: tuple[tuple[str, int], ...]
    loosest: float
    strictest: float
    scale: float
    lines: tuple[Line, ...]
    pages: int


def page_name(group_id: str) -> str:
    """A file name that any system takes, different for every group_id."""
    slug = re.sub(r"[^a-z0-9]+", "-", group_id.lower())[:40].strip("-")
    digest = hashlib.sha256(group_id.encode()).hexdigest()[:12]
    return f"{slug or 'group'}-{digest}.html"


def portfolio(scored: Scored, names: Names, words: Words) -> Portfolio:
    """The portfolio of a set of scores.

    Raises:
        BadInput: there are no scores, or they are not of one cut-off.
    """
    if not scored.scores.num_rows:
        raise BadInput("report: expected the scores of at least one group, got none")
    cutoffs = pc.unique(scored.scores["as_of"]).to_pylist()
    if len(cutoffs) > 1:
        raise BadInput(
            f"report: expected scores of one cut-off, got {len(cutoffs)}: "
            f"{min(cutoffs):%Y-%m-%d} to {max(cutoffs):%Y-%m-%d}; report each by itself"
        )
    order = [("rank", "ascending"), ("group_id", "ascending")]
    rows = scored.scores.sort_by(order).slice(0, MAX_LISTED).to_pylist()
    end = scale_end(max(max(row["readiness_high"], row["threshold"]) for row in rows))
    strongest = _strongest(scored.stakeholders, names, words)
    return Portfolio(
        as_of=cutoffs[0],
        model_version=rows[0]["model_version"],
        groups=scored.scores.num_rows,
        statuses=tuple(Counter(scored.scores["status"].to_pylist()).most_common()),
        loosest=pc.min(scored.scores["threshold"]).as_py(),
        strictest=pc.max(scored.scores["threshold"]).as_py(),
        scale=end,
        lines=tuple(
            Line(
                score=row,
                account=names.account(row["account_id"]),
                solution=names.solution(row["solution_id"]),
                gauge=_gauge(row, end),
                strongest=strongest.get(row["group_id"]),
                page=page_name(row["group_id"]) if place < MAX_PAGES else None,
            )
            for place, row in enumerate(rows)
        ),
        pages=min(len(rows), MAX_PAGES),
    )


def _gauge(row: Row, end: float) -> Gauge:
    return gauge(
        row["readiness_low"], row["readiness_high"], row["readiness"], row["threshold"], end
    )


def _strongest(stakeholders: pa.Table, names: Names, words: Words) -> dict[str, tuple[str, float]]:
    """The member with the largest contribution of each group; of equals the first by id."""
    frame = stakeholders.select(["group_id", "contact_id", "contribution", "points"]).to_pandas()
    frame = frame.sort_values(["contribution", "contact_id"], ascending=[False, True])
    best = frame.groupby("group_id", sort=False).head(1)
    return {
        group_id: (words.name(names.contact(contact_id)[0], contact_id), points)
        for group_id, contact_id, points in zip(
            best["group_id"], best["contact_id"], best["points"], strict=True
        )
    }
