"""One group on a terminal: the sum from the account to the score, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from ...explain.language import Language
from ...explain.summaries import dated_summary, short_form
from ...model.bundle import Bundle
from .scoring import ScoreTables


def group_report(
    scored: ScoreTables,
    names: Mapping[str, str],
    bundle: Bundle,
    language: Language,
    *,
    full: bool = True,
) -> Iterator[RenderableType]:
    """What `mqbg explain` prints of the one group in `scored`.

    First the short form of its summary and the reasons; with `full` also the details, the sum from
    the account to the score, every stakeholder, and every step.

    Args:
        scored: the tables of one group.
        names: names by contact_id.
        bundle: for the score of the account with nobody in the group.
        language: the language.
        full: more than the short form.
    """
    score = scored.scores.to_pylist()[0]
    labels = language.word_tables["labels"]
    summary = scored.summaries["summary"][0].as_py()
    shown = summary if full else short_form(summary)
    dated = dated_summary(shown, score["as_of"], score["threshold"], language)
    heading, *lines = dated.split("\n")
    yield f"[bold]{escape(heading)}[/bold]"
    yield from map(escape, lines)
    yield from _bullet_section(labels["reasons"], score["top_reasons"])
    if not full:
        return
    yield ""
    members = sorted(
        scored.stakeholders.to_pylist(), key=lambda row: (-row["contribution"], row["contact_id"])
    )
    yield _contribution_table(score, members, names, bundle, language)
    yield from _bullet_section(labels["stakeholders"], [member["summary"] for member in members])
    yield from _bullet_section(labels["actions"], scored.actions["text"].to_pylist())


def group_document(scored: ScoreTables) -> dict[str, Any]:
    """The rows of the one group in `scored`, as `mqbg explain --json` writes them."""
    return {
        "score": scored.scores.to_pylist()[0],
        "stakeholders": scored.stakeholders.to_pylist(),
        "actions": scored.actions.to_pylist(),
        "horizons": scored.horizons.to_pylist(),
        "themes": scored.themes.to_pylist(),
        "summary": scored.summaries["summary"][0].as_py(),
    }


def _bullet_section(title: str, sentences: list[str]) -> Iterator[str]:
    if sentences:
        yield f"\n[bold]{escape(title)}[/bold]"
        for sentence in sentences:
            yield f"- {escape(sentence)}"


def _contribution_table(
    score: dict[str, Any],
    members: list[dict[str, Any]],
    names: Mapping[str, str],
    bundle: Bundle,
    language: Language,
) -> Table:
    """The base, each stakeholder and the total, in log-odds and in points."""
    labels = language.word_tables["labels"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(labels["stakeholders"])
    table.add_column(labels["role"])
    table.add_column(labels["contribution"], justify="right")
    table.add_column(labels["points"], justify="right")
    base = language.formats.decimal(float(bundle.score_points(score["base_log_odds"])))
    total = language.formats.decimal(100 * score["readiness"])
    table.add_row(language.render("base"), "", f"{score['base_log_odds']:+.3f}", base)
    for member in members:
        error = member["contribution_se"]
        table.add_row(
            escape(names[member["contact_id"]]),
            escape(language.word("roles", member["role"])),
            f"{member['contribution']:+.3f}" + (f" ±{error:.3f}" if error else ""),
            language.formats.signed(member["points"]),
        )
    table.add_section()
    table.add_row(labels["total"], "", f"{score['log_odds']:+.3f}", total)
    return table
