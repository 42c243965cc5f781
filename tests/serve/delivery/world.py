"""Scores of a made-up night: tables as `mqbg score` writes them, from a seed."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import pyarrow as pa
from mqbg.serve.batch.score_tables import (
    ACTIONS,
    HORIZONS,
    SCORE_SCHEMAS,
    SCORES,
    STAKEHOLDERS,
    SUMMARIES,
    THEMES,
)
from mqbg.serve.batch.scoring import ScoreTables

AS_OF = datetime(2025, 3, 1)


def scored(
    groups: int | list[str],
    as_of: datetime = AS_OF,
    seed: int = 0,
    *,
    change: float = 1.0,
    members: int = 2,
    **given: Any,
) -> ScoreTables:
    """Scores of groups `g0`, `g1` ... or of these.

    Args:
        groups: how many, or their ids.
        as_of: the cut-off.
        seed: of the night; the share `change` of the groups differs from night to night.
        change: see seed.
        members: in each group.
        given: columns of the scores that hold the same in every row.
    """
    ids = [f"g{number}" for number in range(groups)] if isinstance(groups, int) else groups
    rows, people, steps, summaries = [], [], [], []
    for group_id in ids:
        moved = _drawn(f"{seed} {group_id} moved").random() < change
        draw = _drawn(f"{seed if moved else 'first'} {group_id}")
        row = _score(draw, group_id, as_of) | given
        rows.append(row)
        names = [f"{group_id}-c{number}" for number in range(members)]
        people += [_person(draw, group_id, name, as_of) for name in names]
        steps.append(
            {
                "group_id": group_id, "as_of": as_of, "action": "fill_role", "role": "champion",
                "contact_id": None, "points": 3.0, "support": 40, "text": "Find a champion.",
            }
        )  # fmt: skip
        text = f"Account of {group_id}: Ledger, as of {as_of:%Y-%m-%d}\nStands at {row['score']}."
        summaries.append({"group_id": group_id, "as_of": as_of, "summary": text})
    others = {name: SCORE_SCHEMAS[name].empty_table() for name in SCORE_SCHEMAS} | {
        "scores": pa.Table.from_pylist(rows, SCORES),
        "stakeholders": pa.Table.from_pylist(people, STAKEHOLDERS),
        "actions": pa.Table.from_pylist(steps, ACTIONS),
        "summaries": pa.Table.from_pylist(summaries, SUMMARIES),
        "horizons": HORIZONS.empty_table(),
        "themes": THEMES.empty_table(),
    }
    return ScoreTables(**others)


def _drawn(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secret


def _score(draw: random.Random, group_id: str, as_of: datetime) -> dict[str, Any]:
    readiness = draw.random()
    return {
        "group_id": group_id,
        "account_id": f"a-{group_id}",
        "solution_id": "s1",
        "as_of": as_of,
        "model_version": "1",
        "readiness": readiness,
        "readiness_low": readiness / 2,
        "readiness_high": (1 + readiness) / 2,
        "score": round(100 * readiness),
        "log_odds": draw.uniform(-3, 3),
        "base_log_odds": -2.0,
        "completeness": draw.choice((0.25, 0.5, 0.75, 1.0)),
        "engaged_completeness": 0.25,
        "engagement": float(draw.randrange(100)),
        "threshold": 0.5,
        "completeness_threshold": 0.5,
        "status": "qualified" if readiness >= 0.5 else "nurture",
        "rank": 1,
        "missing_roles": draw.choice(([], ["champion"], ["champion", "情報 <システム>"])),
        "top_reasons": ["Engagement raises the score.", "=1+1 & more"],
        "single_point_of_failure": draw.choice((None, f"{group_id}-c0")),
    }


def _person(draw: random.Random, group_id: str, contact_id: str, as_of: datetime) -> dict[str, Any]:
    return {
        "group_id": group_id,
        "as_of": as_of,
        "contact_id": contact_id,
        "role": draw.choice(("user", "decision_maker")),
        "contribution": draw.uniform(-1, 1),
        "contribution_se": 0.0,
        "points": draw.uniform(-20, 20),
        "last_activity_at": as_of,
        "last_activity_kind": "meeting",
        "activities_30d": 3,
        "top_kinds": ["meeting", "web_visit"],
        "if_leaves": -4.0,
        "summary": f"Mori <{contact_id}>: adds something.",
    }
