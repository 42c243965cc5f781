"""A kill -9 at 200 random moments of the nights' pushes and alerts, against a bad-tempered CRM."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

STAND_IN = Path(__file__).parents[1] / "tests" / "serve" / "delivery"
KILLS, GROUPS, SEED = 200, 60, 7


def run(kills: int = KILLS) -> None:
    """Prints what the kills left, compared with what the store says should be."""
    sys.path.insert(0, str(STAND_IN))
    from crm import Crm, standing_in
    from killing import kill_at_random

    with tempfile.TemporaryDirectory() as folder, standing_in(Crm(seed=SEED)) as crm:
        url = f"duckdb:///{folder}/store.duckdb"
        result = kill_at_random(url, crm, kills=kills, groups=GROUPS, seed=SEED)
        requests = sum(crm.seen.values())
    print(
        f"{result.kills} nights killed, {result.halfway} of them after their first request; "
        f"{result.finished} ended by themselves"
    )
    print(f"{result.groups} groups, {requests:,} requests, {result.alerts:,} alerts due")
    print(f"alerts that came again, with the same key and text: {result.repeated}")
    print("wrong: " + ("nothing" if not result.wrong else "; ".join(result.wrong)))
