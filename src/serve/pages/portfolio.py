"""The portfolio: every scored group as one line, the readiest first."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...contract import BadInput
from ...explain.language import Words
from ..batch.names import Names
from ..batch.scoring import Scored
from .charts import Gauge, gauge, scale_end

MAX_PAGES = 500
"""Groups with a page of their own unless the caller says otherwise, the readiest ones."""

MAX_LISTED = 10_000
"""Groups in the portfolio's table, the readiest ones."""

Row = dict[str, Any]
Counts = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A group in the portfolio.

    Attributes:
        score: its row of the scores table.
        account: the account's name.
        solution: the solution's name.
        tier: the account's; None where it has none.
        gauge: its readiness on the portfolio's scale.
        strongest: name and points of the member who adds most; None where nobody is in it.
        moved: change since the earlier score, in score points as they are shown; None without one.
        page: file name of its page under `groups`; None beyond the limit.
    """

    score: Row
    account: str
    solution: str
    tier: str | None
    gauge: Gauge
    strongest: tuple[str, float] | None
    moved: float | None
    page: str | None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """All groups together.

    Attributes:
        as_of: the cut-off.
        model_version: of the model that scored.
        groups: how many were scored.
        statuses: how many of each status, most frequent first.
        solutions: how many of the listed groups are for each solution, by name.
        tiers: how many of the listed groups are of each tier, by tier.
        loosest: the lowest readiness from which a group of these qualifies.
        strictest: the highest; 1 where none qualifies.
        scale: where the readiness scale of every page ends, 0..1.
        lines: the readiest groups by rank.
        pages: how many of them have a page.
        since: the earlier cut-off that `moved` speaks of; None without one.
    """

    as_of: datetime
    model_version: str
    groups: int
    statuses: Counts
    solutions: Counts
    tiers: Counts
    loosest: float
    strictest: float
    scale: float
    lines: tuple[Line, ...]
    pages: int
    since: datetime | None


def page_name(group_id: str) -> str:
    """A file name that any system takes, different for every group_id."""
    slug = re.sub(r"[^a-z0-9]+", "-", group_id.lower())[:40].strip("-")
    digest = hashlib.sha256(group_id.encode()).hexdigest()[:12]
    return f"{slug or 'group'}-{digest}.html"


def portfolio(
    scored: Scored,
    names: Names,
    words: Words,
    *,
    earlier: Mapping[str, Row] | None = None,
    pages: int = MAX_PAGES,
) -> Portfolio:
    """The portfolio of a set of scores.

    Args:
        scored: the tables, of one cut-off.
        names: of accounts, solutions and contacts.
        words: the language.
        earlier: rows of the scores table at an earlier cut-off by group_id; None for none.
        pages: so many of the readiest groups have a page.

    Raises:
        BadInput: there are no scores, or they are not of one cut-off.
    """
    as_of = one_cutoff(scored, "report")
    order = [("rank", "ascending"), ("group_id", "ascending")]
    rows = scored.scores.sort_by(order).slice(0, MAX_LISTED).to_pylist()
    end = scale_end(max(max(row["readiness_high"], row["threshold"]) for row in rows))
    strongest = _strongest(scored.stakeholders, names, words)
    lines = tuple(
        Line(
            score=row,
            account=names.account(row["account_id"]),
            solution=names.solution(row["solution_id"]),
            tier=names.tiers.get(row["account_id"]),
            gauge=_gauge(row, end),
            strongest=strongest.get(row["group_id"]),
            moved=moved(row, (earlier or {}).get(row["group_id"])),
            page=page_name(row["group_id"]) if place < pages else None,
        )
        for place, row in enumerate(rows)
    )
    return Portfolio(
        as_of=as_of,
        model_version=rows[0]["model_version"],
        groups=scored.scores.num_rows,
        statuses=tuple(Counter(scored.scores["status"].to_pylist()).most_common()),
        solutions=_counted(line.solution for line in lines),
        tiers=_counted(line.tier for line in lines if line.tier),
        loosest=pc.min(scored.scores["threshold"]).as_py(),
        strictest=pc.max(scored.scores["threshold"]).as_py(),
        scale=end,
        lines=lines,
        pages=min(len(rows), pages),
        since=None if not earlier else next(iter(earlier.values()))["as_of"],
    )


def one_cutoff(scored: Scored, where: str) -> datetime:
    """The cut-off that all scores are of.

    Raises:
        BadInput: there are none, or of several; the message begins with `where`.
    """
    if not scored.scores.num_rows:
        raise BadInput(f"{where}: expected the scores of at least one group, got none")
    cutoffs = pc.unique(scored.scores["as_of"]).to_pylist()
    if len(cutoffs) > 1:
        raise BadInput(
            f"{where}: expected scores of one cut-off, got {len(cutoffs)}: "
            f"{min(cutoffs):%Y-%m-%d} to {max(cutoffs):%Y-%m-%d}; report each by itself"
        )
    found: datetime = cutoffs[0]
    return found


def shown_score(row: Row) -> float:
    """100 x readiness with the one decimal that pages show."""
    return float(f"{100 * row['readiness']:.1f}")


def moved(row: Row, before: Row | None) -> float | None:
    """How far the shown score moved since an earlier row of the same group, in score points."""
    return None if before is None else shown_score(row) - shown_score(before)


def _counted(names: Iterable[str]) -> Counts:
    return tuple(sorted(Counter(names).items()))


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
