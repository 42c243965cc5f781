"""What the last night decided, and what sales said since."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from mqbg.features.time_rules.verdicts import LatestVerdict
from mqbg.serve.batch.night_decisions import NightDecision

NIGHT, HOUR = datetime(2024, 6, 1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("decided_at", "status"),
    [(None, "qualified"), (NIGHT - HOUR, "qualified"), (NIGHT, "rejected"),
     (NIGHT + HOUR, "rejected")],
)  # fmt: skip
def test_a_verdict_counts_more_than_the_night_once_the_night_did_not_know_it(decided_at, status):
    verdict = LatestVerdict("rejected", decided_at) if decided_at else None
    columns = NightDecision(NIGHT, 0.4, 0.6, "qualified").columns(verdict)
    assert columns == {"threshold": 0.4, "completeness_threshold": 0.6, "status": status}
