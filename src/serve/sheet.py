"""One group on a terminal: the sum from the account to the score, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from ..bundle import Bundle
from ..explain.words import Words, date_of, signed
from .scoring import Scored


def group_sheet(
    scored: Scored,
    account: str,
    solution: str,
    people: Mapping[str, str],
    bundle: Bundle,
    words: Words,
) -> Iterator[RenderableType]:
    """What `mqbg explain` prints of the one group in `scored`.

    Args:
        scored: the tables of one group.
        account: the account's name.
        solution: the solution's name.
        people: names by contact_id.
        bundle: for the score of the account with nobody in the group.
        words: the language.
    """
    score = scored.scores.to_pylist()[0]
    label = words.words["labels"]
    heading = words.say(
        "heading", account=account, solution=solution, as_of=date_of(score["as_of"])
    )
    yield f"[bold]{escape(heading)}[/bold]"
    yield escape(_readiness(score, words))
    yield from _listed(label["reasons"], score["top_reasons"])
    yield ""
    members = sorted(
        scored.stakeholders.to_pylist(), key=lambda row: (-row["contribution"], row["contact_id"])
    )
    yield _sum(score, members, people, bundle, words)
    yield from _listed(label["stakeholders"], [member["summary"] for member in members])
    yield from _listed(label["actions"], scored.actions["text"].to_pylist())


def _readiness(score: dict[str, Any], words: Words) -> str:
    return words.say(
        "readiness",
        readiness=f"{score['readiness']:.1%}",
        low=f"{score['readiness_low']:.1%}",
        high=f"{score['readiness_high']:.1%}",
        threshold=f"{score['threshold']:.1%}",
        status=words.word("status", score["status"]),
        completeness=f"{score['completeness']:.0%}",
        missing=words.roles(score["missing_roles"]),
    )


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
    base = bundle.points(score["base_log_odds"])
    table.add_row(words.say("base"), "", f"{score['base_log_odds']:+.3f}", f"{base:.1f}")
    for member in members:
        error = member["contribution_se"]
        table.add_row(
            escape(people[member["contact_id"]]),
            escape(words.word("roles", member["role"])),
            f"{member['contribution']:+.3f}" + (f" ±{error:.3f}" if error else ""),
            signed(member["points"]),
        )
    table.add_section()
    table.add_row(
        label["total"], "", f"{score['log_odds']:+.3f}", f"{100 * score['readiness']:.1f}"
    )
    return table
