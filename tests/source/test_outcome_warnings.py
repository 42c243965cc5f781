"""What `check` says of data from which nothing can be learned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest
from mqbg.contract import TABLES, schema
from mqbg.settings import Settings, TargetSettings
from mqbg.source.outcome_warnings import outcome_warnings
from mqbg.source.staging import Source

START = datetime(2024, 1, 1)


def said(
    created: Sequence[datetime],
    events: Sequence[tuple[int, str, datetime]],
    settings: Settings | None = None,
) -> list[str]:
    rows: dict[str, list[dict[str, Any]]] = {
        "buying_groups": [{"group_id": f"g{i}", "created_at": at} for i, at in enumerate(created)],
        "stage_events": [
            {"group_id": f"g{group}", "stage": stage, "occurred_at": at}
            for group, stage, at in events
        ],
    }
    backend = ibis.duckdb.connect(threads=1)
    tables = {}
    for name in TABLES:
        full = [{c: row.get(c) for c in schema(name).names} for row in rows.get(name, [])]
        table = pa.Table.from_pylist(full, schema(name).to_pyarrow())
        tables[name] = backend.create_table(name, table)
    return list(outcome_warnings(Source(backend, tables, {}, (), "test"), settings or Settings()))


SPREAD = [START + timedelta(days=3 * i) for i in range(30)]


def test_data_to_learn_from_gives_no_warning():
    assert said(SPREAD, [(3, "opportunity", START + timedelta(days=40))]) == []


@pytest.mark.parametrize("days", [0, -5])
def test_outcomes_at_or_before_the_beginning_of_their_group_are_counted(days):
    early = [(i, "opportunity", SPREAD[i] + timedelta(days=days)) for i in (1, 2)]
    (sentence,) = said(SPREAD, [*early, (3, "opportunity", START + timedelta(days=40))])
    assert "no cut-off can see it coming: 2 of 3" in sentence


def test_groups_of_an_import_are_told_by_their_days():
    import_days = [START, START + timedelta(days=1, hours=3)]
    (sentence,) = said([*import_days * 15, SPREAD[9]], [(0, "opportunity", SPREAD[20])])
    assert "31 of 31, 2024-01-01 (15), 2024-01-02 (15), 2024-01-28 (1)" in sentence


def test_a_target_that_never_occurs_is_named_with_the_nearest_stage():
    (sentence,) = said(SPREAD, [(1, "Opportunities", SPREAD[9])])
    assert sentence.startswith("[target] stage names 'opportunity', which no stage event has")
    assert sentence.endswith("the nearest is 'Opportunities'")


def test_closed_stages_of_settings_are_looked_for_and_those_of_the_default_are_not():
    settings = Settings(target=TargetSettings(closed_stages=("closed_won",)))
    (sentence,) = said(SPREAD, [(1, "opportunity", SPREAD[9])], settings)
    assert "closed_stages names 'closed_won'" in sentence


def test_final_stages_alone_are_said():
    found = said(SPREAD, [(1, "won", SPREAD[9]), (2, "lost", SPREAD[9])])
    assert len(found) == 1
    assert found[0].startswith("stage_events has final stages alone (lost, won)")


def test_a_closed_stage_of_the_default_that_is_spelt_otherwise_is_said():
    events = [(1, "opportunity", SPREAD[9]), (2, "Lost", SPREAD[9])]
    (sentence,) = said(SPREAD, events)
    assert sentence.startswith("[target] closed_stages names 'lost', which no stage event has")
    assert sentence.endswith("the nearest is 'Lost'")
