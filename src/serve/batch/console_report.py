"""One group on a terminal: the sum from the account to the score, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from ...explain.language import Words
from ...model.bundle import Bundle
from .scoring import Scored


def group_sheet(
    scored: Scored, people: Mapping[str, str], bundle: Bundle, words: Words
) -> Iterator[RenderableType]:
    """What `mqbg explain` prints of the one group in `scored`: its summary, then the sum.

    Args:
        scored: the tables of one group.
        people: names by contact_id.
        bundle: for the score of the account with nobody in the group.
        words: the language.
    """
    score = scored.scores.to_pylist()[0]
    label = words.words["labels"]
    heading, *lines = scored.summaries["summary"][0].as_py().split("\n")
    yield f"[bold]{escape(heading)}[/bold]"
    yield from map(escape, lines)
    yield from _listed(label["reasons"], score["top_reasons"])
    yield ""
    members = sorted(
        scored.stakeholders.to_pylist(), key=lambda row: (-row["contribution"], row["contact_id"])
    )
    yield _sum(score, members, people, bundle, words)
    yield from _listed(label["stakeholders"], [member["summary"] for member in members])
    yield from _listed(label["actions"], scored.actions["text"].to_pylist())


def _listed(title: str, sentences: list[str]) -> Iterator[str]:
    if sentences:
        yield f"\n[bold]{escape(title)}[/bold]"
        for sentence in sentences:
            yield f"- {escape(sentence)}"


def _sum(
    score: dict[str, Any],
    members: list[dict[str, Any]],
    people: Mapping[str, str],
    bundle: Bundle,
    words: Words,
) -> Table:
    """The base, each stakeholder and the total, in log-odds and in points."""
    label = words.words["labels"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(label["stakeholders"])
    table.add_column(label["role"])
    table.add_column(label["contribution"], justify="right")
    table.add_column(label["points"], justify="right")
    base = words.formats.decimal(float(bundle.points(score["base_log_odds"])))
    total = words.formats.decimal(100 * score["readiness"])
    table.add_row(words.say("base"), "", f"{score['base_log_odds']:+.3f}", base)
    for member in members:
        error = member["contribution_se"]
        table.add_row(
            escape(people[member["contact_id"]]),
            escape(words.word("roles", member["role"])),
            f"{member['contribution']:+.3f}" + (f" ±{error:.3f}" if error else ""),
            words.formats.signed(member["points"]),
        )
    table.add_section()
    table.add_row(label["total"], "", f"{score['log_odds']:+.3f}", total)
    return table
