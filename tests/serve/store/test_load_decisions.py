"""The threshold that is in force is the last night's."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from mqbg.serve.batch.night_decisions import NightDecision
from mqbg.serve.store.load_decisions import load_decisions
from mqbg.serve.store.save_run import save_run
from mqbg.settings import Settings

JUNE, DAY = datetime(2024, 6, 1), timedelta(days=1)


@pytest.fixture
def nights(store, run_of, scores_of, no_verdicts):
    """Two nights; in the first g qualified, in the second it is between the two thresholds."""
    for as_of, readiness in ((JUNE, {"g": 0.9, "h": 0.1}), (JUNE + DAY, {"g": 0.45, "h": 0.45})):
        scored = run_of(as_of, {"scores": scores_of(readiness)})
        with save_run(store, scored, no_verdicts, Settings(), as_of) as kept:
            rows = {row["group_id"]: row for row in kept.scored.scores.to_pylist()}
    return rows


def decided(store, as_of, version="1", group_ids=("g", "h")):
    with store.begin() as connection:
        return load_decisions(connection, list(group_ids), as_of, version)


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=5), 40 * DAY])
def test_what_the_last_night_decided_holds_until_the_next(store, nights, later):
    found = decided(store, JUNE + DAY + later)
    assert {group: one.status for group, one in found.items()} == {
        "g": "qualified",
        "h": "nurture",
    }
    row = nights["g"]
    assert found["g"] == NightDecision(
        JUNE + DAY, row["threshold"], row["completeness_threshold"], "qualified"
    )


def test_a_cutoff_before_the_last_night_has_what_the_night_before_decided(store, nights):
    assert decided(store, JUNE + DAY / 2)["g"].status == "qualified"
    assert decided(store, JUNE - DAY) == {}


def test_another_models_night_decides_nothing(store, nights):
    assert decided(store, JUNE + DAY, version="2") == {}


def test_a_group_that_the_night_had_not_is_left_out(store, nights):
    assert set(decided(store, JUNE + DAY, group_ids=("h", "new"))) == {"h"}
