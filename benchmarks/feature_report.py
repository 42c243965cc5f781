"""The feature benchmark's figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .contestants import CONTESTANTS, OURS, OURS_WHOLE, SCAN, TUNED, Run


@dataclass(frozen=True, slots=True)
class Case:
    """One size, measured.

    Attributes:
        rows: activities in the file.
        runs: of each contestant.
    """

    rows: int
    runs: Mapping[str, Run]


@dataclass(frozen=True, slots=True)
class Part:
    """What featuretools did on its small part.

    Attributes:
        seconds: on the wall.
        rows: activities, attached to groups.
        columns: features made.
    """

    seconds: float
    rows: int
    columns: int


def table(cases: Sequence[Case], part: Part | None) -> list[str]:
    """One row per contestant and size."""
    lines = [
        "| contestant | features | activities | time | CPU time | peak memory | rows/s |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_line(name, case.rows, case.runs[name]) for name in CONTESTANTS for case in cases),
    ]
    if part is None:
        return [*lines, "| featuretools, a small part | | | not installed | | | |"]
    speed = f"{part.rows / part.seconds:,.0f}"
    what = f"| featuretools, a small part | {part.columns} | {part.rows:,}"
    return [*lines, f"{what} | {part.seconds:.1f} s | | | {speed} |"]


def _line(name: str, rows: int, run: Run) -> str:
    cells = (
        name,
        str(run.columns or ""),
        f"{rows:,}",
        f"{run.seconds:.2f} s",
        f"{run.cpu_seconds:.1f} s",
        f"{run.peak_bytes / 1e9:.2f} GB",
        f"{rows / run.seconds:,.0f}",
    )
    return f"| {' | '.join(cells)} |"


def promises(cases: Sequence[Case], part: Part | None) -> list[str]:
    """What the project promises: of the largest size, and between sizes."""
    last = cases[-1]
    dozen, whole, tuned = last.runs[OURS], last.runs[OURS_WHOLE], last.runs[TUNED]
    ratio, of_cpu = dozen.seconds / tuned.seconds, dozen.cpu_seconds / tuned.cpu_seconds
    lines = [
        f"| figure, at {last.rows:,} activities unless said | measured | promised |",
        "|---|---|---|",
        f"| dozen against tuned SQL | {ratio:.2f} x (CPU {of_cpu:.2f} x) | at most 1.3 x |",
        f"| whole catalogue, time | {whole.seconds:.0f} s | at 10 million under 90 s |",
        f"| whole catalogue, memory | {whole.peak_bytes / 1e9:.1f} GB | at 10 million under 4 GB |",
        f"| tuned SQL against the scan | {tuned.seconds / last.runs[SCAN].seconds:.1f} x | |",
    ]
    if part is not None:
        slower = (part.seconds / part.rows) / (dozen.seconds / last.rows)
        lines.append(f"| featuretools against the dozen, per row | {slower:,.0f} x | 30 x |")
    growths = (
        _growth(name, small, large)
        for small, large in pairwise(cases)
        for name in (OURS, OURS_WHOLE, TUNED)
    )
    return [*lines, *growths]


def _growth(name: str, small: Case, large: Case) -> str:
    times, rows = large.runs[name].seconds / small.runs[name].seconds, large.rows / small.rows
    what = f"{name}, from {small.rows:,} to {large.rows:,}"
    return f"| {what} | {times:.1f} x, {times / rows - 1:+.0%} of linear | within 25 % |"
