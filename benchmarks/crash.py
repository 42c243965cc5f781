"""A kill -9 at 200 points of the nights' pushes and alerts, against a bad-tempered CRM."""

from __future__ import annotations

import sys
import tempfile
from itertools import islice
from pathlib import Path

STAND_IN = Path(__file__).parents[1] / "tests" / "serve" / "delivery"
KILLS, GROUPS, SEED = 200, 60, 7
HIGHEST = 14
"""As many commits every night with changes makes; as many requests come within a few nights."""
ROUND = 5
"""Kills before each night that is whole; no divisor of 8, so each kind of point comes last."""


def run(kills: int = KILLS) -> None:
    """Prints what the kills left, compared with what the store says should be."""
    sys.path.insert(0, str(STAND_IN))
    from crm import Crm, standing_in
    from killing import every_point, kill_at

    points = list(islice(every_point(HIGHEST), kills))
    rounds = [points[start : start + ROUND] for start in range(0, kills, ROUND)]
    with tempfile.TemporaryDirectory() as folder, standing_in(Crm(seed=SEED)) as crm:
        url = f"sqlite:///{folder}/store.sqlite"
        result = kill_at(url, crm, rounds, groups=GROUPS)
        requests = sum(crm.seen.values())
    in_commits = sum(point.commit for point in result.killed)
    print(
        f"{len(result.killed)} nights killed of {len(points)}, {in_commits} of them inside a "
        f"commit; {result.finished} ended by themselves"
    )
    print(f"{result.groups} groups, {requests:,} requests, {result.alerts:,} alerts due")
    print(f"alerts that came again, with the same key and text: {result.repeated}")
    print("wrong: " + ("nothing" if not result.wrong else "; ".join(result.wrong)))
