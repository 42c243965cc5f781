"""A label says whether the target stage came in [as_of, as_of + horizon)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from mqbg.contract import BadInput
from mqbg.settings import TargetSettings
from mqbg.train.data.labels import converted_groups, require_target_stage

AS_OF = datetime(2024, 6, 1)
MICROSECOND = timedelta(microseconds=1)
HORIZON = timedelta(days=90)


def converted(open_tables, events, **target):
    source = open_tables(
        {
            "stage_events": [
                {"group_id": group_id, "stage": stage, "occurred_at": AS_OF + after}
                for group_id, stage, after in events
            ]
        }
    )
    found = converted_groups(source.tables["stage_events"], TargetSettings(**target), AS_OF)
    return sorted(found.to_pylist())


@pytest.mark.parametrize(
    ("after", "label"),
    [
        (-MICROSECOND, False),
        (timedelta(0), True),  # not yet known at the cut-off, so it is there to be foreseen
        (HORIZON - MICROSECOND, True),
        (HORIZON, False),
    ],
)
def test_the_horizon_is_closed_at_the_cutoff_and_open_at_its_end(open_tables, after, label):
    assert converted(open_tables, [("g1", "opportunity", after)]) == ["g1"] * label


def test_other_stages_do_not_convert_and_a_group_converts_once(open_tables):
    day = timedelta(days=1)
    events = [
        ("won", "won", day),
        ("twice", "opportunity", day),
        ("twice", "opportunity", 2 * day),
        ("demo", "demo", day),
    ]
    assert converted(open_tables, events) == ["twice"]
    assert converted(open_tables, events, stage="demo") == ["demo"]
    assert converted(open_tables, events, horizon_days=1) == []


def stages(open_tables, *names):
    rows = [{"group_id": "g1", "stage": name, "occurred_at": AS_OF} for name in names]
    return open_tables({"stage_events": rows}).tables["stage_events"]


def test_a_target_that_never_occurs_is_refused_with_the_nearest_stage(open_tables):
    events = stages(open_tables, "discovery", "opportunity", "won")
    with pytest.raises(BadInput) as caught:
        require_target_stage(events, TargetSettings(stage="Oportunity"))
    said = str(caught.value)
    assert "expected events of the stage 'Oportunity'" in said
    assert "found only 'discovery', 'opportunity', 'won'" in said
    assert said.endswith("perhaps to 'opportunity'")


def test_many_stages_are_not_all_listed_and_the_nearest_is_still_named(open_tables):
    events = stages(open_tables, *(f"stage {n:02d}" for n in range(20)), "zebra")
    with pytest.raises(BadInput) as caught:
        require_target_stage(events, TargetSettings(stage="zbra"))
    assert "'stage 09';" in str(caught.value)
    assert "'stage 10'" not in str(caught.value)
    assert "perhaps to 'zebra'" in str(caught.value)


@pytest.mark.parametrize("names", [(), ("opportunity",)])
def test_a_target_that_occurs_or_data_without_any_stage_is_not_refused(open_tables, names):
    require_target_stage(stages(open_tables, *names), TargetSettings())
