"""What keeps a training from learning: outcomes that no cut-off sees, stages that never occur."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..settings import Settings
from .compiled_queries import fetch_count, fetch_rows
from .spellings import spelling_key
from .staging import Source, count_rows
from .table_reader import nearest_name

if TYPE_CHECKING:
    import ibis.expr.types as ir

_FEW_DAYS = 3
_MOST = 0.9  # share of the groups that were created on so few days
_MIN_GROUPS = 20


def outcome_warnings(source: Source, settings: Settings) -> Iterator[str]:
    """Sentences on what keeps a training from learning."""
    stage = settings.target.stage

    def by_stage() -> ir.Table:
        events = source.tables["stage_events"]
        return events.group_by("stage").agg(rows=events.count())

    counts = fetch_rows(source.session, "stages", by_stage)
    stages = {row["stage"]: row["rows"] for row in counts}
    yield from _stages(stages, settings)
    if stage in stages:
        yield from _unseen_outcomes(source, stage)
    yield from _creation_days(source)


def _stages(stages: dict[str, int], settings: Settings) -> Iterator[str]:
    target = settings.target
    final = {target.stage, *target.closed_stages}
    if stages and set(stages) <= final - {target.stage}:
        yield (
            f"stage_events has final stages alone ({', '.join(sorted(stages))}): export the events "
            f"of {target.stage!r}, or name another [target] stage"
        )
        return
    spelt = {spelling_key(stage) for stage in stages}
    named = {"stage": (target.stage,), "closed_stages": target.closed_stages}
    for key, names in named.items():
        for name in names:
            # Defaults that do not occur are no news, unless they are spelt otherwise.
            default = key == "closed_stages" and names == ("won", "lost")
            if name in stages or (default and spelling_key(name) not in spelt):
                continue
            near = nearest_name(name, stages)
            hint = f"; the nearest is {near!r}" if near else ""
            yield (
                f"[target] {key} names {name!r}, which no stage event has: there are "
                f"{', '.join(map(repr, sorted(stages)[:10])) or 'none'}{hint}"
            )


def _unseen_outcomes(source: Source, stage: str) -> Iterator[str]:
    def first_times() -> ir.Table:
        events = source.tables["stage_events"]
        targets = events.filter(events.stage == stage)
        return targets.group_by("group_id").agg(at=targets.occurred_at.min())

    def unseen_groups() -> ir.Table:
        groups = source.tables["buying_groups"].select("group_id", "created_at")
        both = first_times().join(groups, "group_id")
        return both.filter(both.at <= both.created_at)

    unseen = fetch_count(source.session, f"unseen outcomes {stage}", unseen_groups)
    if unseen:
        reached = count_rows(source, first_times())
        yield (
            f"groups that reached {stage!r} at or before their created_at, so that no cut-off can "
            f"see it coming: {unseen:,} of {reached:,}; give the date on which "
            "the group began, not that of the deal's record"
        )


def _creation_days(source: Source) -> Iterator[str]:
    def by_day() -> ir.Table:
        groups = source.tables["buying_groups"]
        return groups.group_by(day=groups.created_at.truncate("D")).agg(rows=groups.count())

    counts = fetch_rows(source.session, "creation days", by_day)
    total = sum(row["rows"] for row in counts)
    largest = sorted(counts, key=lambda row: (-row["rows"], row["day"]))[:_FEW_DAYS]
    on_few = sum(row["rows"] for row in largest)
    if total >= _MIN_GROUPS and on_few >= _MOST * total:
        shown = ", ".join(f"{row['day']:%Y-%m-%d} ({row['rows']:,})" for row in largest)
        days = "1 day" if len(largest) == 1 else f"{len(largest)} days"
        yield (
            f"buying groups created on {days}: {on_few:,} of {total:,}, {shown}; that "
            "looks like the date of an import, before which there are no groups to learn from"
        )
