"""Scores and stories as frames that show themselves in a notebook (design.md, Python API)."""

from __future__ import annotations

import html
import io
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from rich.console import Console

from .console_report import group_report
from .scoring import ScoreTables
from .scoring_job import ScoringJob


@dataclass(frozen=True)
class Scored:
    """What `mqbg score` writes, as frames with the same columns (design.md).

    Attributes:
        scores: one row for each open group.
        stakeholders: one row for each member of each group.
        actions: what goes with a higher score.
        horizons: readiness by horizon.
        themes: contributions of each member by theme.
        summaries: text by group.
    """

    scores: pd.DataFrame
    stakeholders: pd.DataFrame
    actions: pd.DataFrame
    horizons: pd.DataFrame
    themes: pd.DataFrame
    summaries: pd.DataFrame

    def _repr_html_(self) -> str:
        shown = ["group_id", "score", "readiness_low", "readiness_high", "completeness", "status"]
        best = self.scores.sort_values("rank")[["rank", *shown]].head(10)
        return f"<p>{len(self.scores):,} groups</p>" + frame_html(best)


@dataclass(frozen=True)
class Story:
    """One group in words and numbers; a notebook shows it as HTML, `print` as text.

    Attributes:
        group_id: of the group.
        text: as `mqbg explain` prints it.
        summary: the first part of it, a line each.
        reasons: why, the strongest first.
        score: the group's row of `scores`.
        stakeholders: its rows of `stakeholders`, the largest contribution first.
        actions: its rows of `actions`.
    """

    group_id: str
    text: str = field(repr=False)
    summary: tuple[str, ...] = field(repr=False)
    reasons: tuple[str, ...] = field(repr=False)
    score: pd.Series[Any] = field(repr=False)
    stakeholders: pd.DataFrame = field(repr=False)
    actions: pd.DataFrame = field(repr=False)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        heading, *lines = map(escaped, self.summary)
        reasons = "".join(f"<li>{escaped(reason)}</li>" for reason in self.reasons)
        members = self.stakeholders[["contact_id", "role", "contribution", "points", "summary"]]
        steps = "".join(f"<li>{escaped(text)}</li>" for text in self.actions["text"])
        return (
            f"<h4>{heading}</h4><p>{'<br>'.join(lines)}</p><ul>{reasons}</ul>"
            f"{frame_html(members)}<ul>{steps}</ul>"
        )


def group_text(job: ScoringJob, scored: ScoreTables) -> str:
    """What `mqbg explain` prints of the one group in `scored`, without colours."""
    people = job.contact_names(scored.stakeholders["contact_id"].to_pylist())
    console = Console(file=io.StringIO(), width=100, color_system=None)
    with console.capture() as captured:
        for part in group_report(scored, people, job.bundle, job.language):
            console.print(part, highlight=False, soft_wrap=isinstance(part, str))
    return captured.get().rstrip()


def escaped(text: str) -> str:
    """A text as HTML says it."""
    return html.escape(str(text))


def frame_html(frame: pd.DataFrame) -> str:
    """A frame as an HTML table, its texts escaped."""
    return str(frame.to_html(float_format="{:.3f}".format, index=frame.index.nlevels > 1))
