"""What training looks at: whose features, which outcomes, and the fingerprint of it all."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pandas as pd
import pytest
from mqbg.contract import BadInput
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.features.engines.duckdb import DuckDBQueryRunner
from mqbg.features.tables import feature_table
from mqbg.settings import Settings, TargetSettings
from mqbg.train.data.snapshots import collect_snapshots, data_fingerprint

SEED = 33
AS_OF = datetime(2024, 6, 1)
CUTOFFS = (AS_OF, AS_OF + timedelta(days=30))
DAY = timedelta(days=1)


def quiet(_label, _share):
    pass


def opened(open_tables, events, **target):
    """Three groups that have been open for long, with these stage events."""
    rows = {
        "members": [{"group_id": f"g{n}", "contact_id": f"c{n}"} for n in (1, 2, 3)],
        "activities": [{"contact_id": "c1", "occurred_at": AS_OF - DAY}],
        "stage_events": [
            {"group_id": group, "stage": stage, "occurred_at": at} for group, stage, at in events
        ],
    }
    return open_tables(rows, Settings(target=TargetSettings(**target)))


NAMES = (
    "members", "completeness", "inbound_30d", "rule_engagement",
    "solution", "tier", "industry", "country",
)  # fmt: skip


def collected(source, cutoffs=CUTOFFS):
    """Snapshots with some features: what is kept of a group does not depend on which."""
    words = build_catalogue(find_vocabulary(source, AS_OF), NAMES)
    return collect_snapshots(source, words, cutoffs, quiet)


def labels(snapshots, converted):
    keys = snapshots.keys
    return {
        (group, at.to_pydatetime(), bool(label))
        for group, at, label in zip(keys["group_id"], keys["as_of"], converted, strict=True)
    }


def test_rows_are_the_open_groups_of_every_cutoff_with_their_label(open_tables):
    won = AS_OF + 10 * DAY
    found = collected(opened(open_tables, [("g2", "opportunity", won)], horizon_days=20))
    first, second = CUTOFFS
    assert labels(found, found.converted) == {
        ("g1", first, False), ("g2", first, True), ("g3", first, False),
        ("g1", second, False), ("g3", second, False),
    }  # fmt: skip
    assert found.features["group_id"].to_pylist() == found.keys["group_id"].tolist()


def test_without_members_everything_else_is_the_same(open_tables):
    source = opened(open_tables, [("g2", "opportunity", AS_OF + 10 * DAY)], horizon_days=20)
    words = build_catalogue(find_vocabulary(source, AS_OF), NAMES)
    whole = collect_snapshots(source, words, CUTOFFS, quiet)
    found = collect_snapshots(source, words, CUTOFFS, quiet, members=False)
    assert not whole.engaged_members.empty
    assert found.engaged_members.empty
    assert found.at_cutoffs(CUTOFFS[:1]).features.equals(whole.at_cutoffs(CUTOFFS[:1]).features)
    pd.testing.assert_frame_equal(found.keys, whole.keys)


@pytest.mark.parametrize(("most", "queries"), [(8192, set()), (1, {"features_of_members"})])
def test_member_rows_are_computed_once_for_their_signals_and_the_features(
    open_tables, monkeypatch, most, queries
):
    names_of_tables, labels_of_queries = [], []
    materialize, fetch = DuckDBQueryRunner.materialize, DuckDBQueryRunner.fetch

    def noted_table(runner, label, build):
        names_of_tables.append(runner.table_name(label))
        return materialize(runner, label, build)

    def noted_query(runner, label, build):
        labels_of_queries.append(label)
        return fetch(runner, label, build)

    monkeypatch.setattr(DuckDBQueryRunner, "materialize", noted_table)
    monkeypatch.setattr(DuckDBQueryRunner, "fetch", noted_query)
    monkeypatch.setattr(feature_table, "GROUPS_PER_BATCH", most)
    collected(opened(open_tables, []), CUTOFFS[:1])
    assert names_of_tables.count("mqbg_at0_members") == 1
    # "features" would compute them again.
    assert {label for label in labels_of_queries if label.startswith("features")} == queries


def test_every_further_horizon_has_its_own_labels(open_tables):
    events = [("g1", "opportunity", AS_OF + 15 * DAY), ("g2", "opportunity", AS_OF + 45 * DAY)]
    source = opened(open_tables, events, horizon_days=30, more_horizons_days=(10, 60))
    found = collected(source, (AS_OF,))
    assert found.converted.tolist() == [True, False, False]
    assert {days: within.tolist() for days, within in found.converted_by_horizon.items()} == {
        10: [False, False, False],
        60: [True, True, False],
    }


def test_a_horizon_is_known_once_the_whole_of_it_has_passed(open_tables):
    source = opened(open_tables, (), horizon_days=30, more_horizons_days=(10, 60))
    found = collected(source)
    known = {
        outcome.days: labels(found, outcome.known)
        for outcome in found.horizon_outcomes(AS_OF + 40 * DAY)
    }
    late = AS_OF + 30 * DAY
    assert all(yes for _group, _at, yes in known[10])
    assert not any(yes for _group, _at, yes in known[60])
    shorter = found.horizon_outcomes(late + 10 * DAY - timedelta(microseconds=1))[0]
    assert {at for _group, at, yes in labels(found, shorter.known) if yes} == {AS_OF}


def test_the_rows_of_some_cutoffs_are_those_rows_and_no_others(open_tables):
    source = opened(open_tables, (), more_horizons_days=(10,))
    found = collected(source)
    part = found.at_cutoffs(CUTOFFS[1:])
    alone = collected(source, CUTOFFS[1:])
    assert part.keys.equals(alone.keys)
    assert part.features.equals(alone.features.combine_chunks())
    assert part.converted_by_horizon[10].tolist() == alone.converted_by_horizon[10].tolist()


def test_the_described_rows_have_what_segments_are_told_apart_by(open_tables):
    rows = {
        "accounts": [{"account_id": "a1", "name": "A", "tier": "1", "country": "JP"}],
        "members": [
            {"group_id": "g1", "contact_id": "c1"},
            {"group_id": "g1", "contact_id": "c2"},
        ],
    }
    described = collected(open_tables(rows), (AS_OF,)).keys_with_segments()
    row = described.iloc[0]
    assert (row["tier"], row["industry"], row["country"]) == ("1", None, "JP")
    assert (row["group_size"], row["solution_id"], row["account_id"]) == (2, "s1", "a1")


def test_no_open_group_at_any_cutoff_is_refused(open_tables):
    source = opened(open_tables, ())
    with pytest.raises(BadInput, match="groups that were open between 2001-01-01 and 2001-01-01"):
        collected(source, (datetime(2001, 1, 1),))


def literal():
    return {
        "accounts": [{"account_id": "a1", "name": "A"}, {"account_id": "a2", "name": "B"}],
        "contacts": [
            {"contact_id": "c1", "account_id": "a1", "full_name": "X", "title": "T"},
            {"contact_id": "c2", "account_id": "a1", "full_name": "Y", "department": "D"},
        ],
        "members": [{"group_id": "g1", "contact_id": "c1"}, {"group_id": "g1", "contact_id": "c2"}],
        "activities": [{"contact_id": "c1", "occurred_at": datetime(2024, 1, 1)}] * 3,
    }


@pytest.fixture(scope="module")
def literal_fingerprint(open_tables):
    found = data_fingerprint(open_tables(literal()))
    assert data_fingerprint(open_tables(literal())) == found
    return found


def change(table, row, **values):
    def changed(rows):
        rows[table][row] = {**rows[table][row], **values}

    return changed


def swap_names(rows):
    first, second = rows["accounts"]
    first["name"], second["name"] = second["name"], first["name"]


def test_a_fingerprint_does_not_depend_on_the_order_of_rows(open_tables, random_tables):
    rows = random_tables(SEED, AS_OF)
    draw = random.Random(SEED)  # noqa: S311 - no secret
    shuffled = {name: draw.sample(table, len(table)) for name, table in rows.items()}
    assert shuffled != rows
    assert data_fingerprint(open_tables(shuffled)) == data_fingerprint(open_tables(rows))


@pytest.mark.parametrize(
    "edit",
    [
        change("accounts", 0, name="a"),
        change("accounts", 0, industry=""),
        change("contacts", 0, title=None, department="T"),
        change("contacts", 0, title="", full_name="XT"),
        change("activities", 2, occurred_at=datetime(2024, 1, 1, 0, 0, 0, 1)),
        change("members", 1, left_at=datetime(2024, 1, 1)),
        swap_names,
        lambda rows: rows["accounts"].append({"account_id": "a3", "name": "C"}),
        lambda rows: rows["activities"].append({**rows["activities"][0], "activity_id": "x"}),
        lambda rows: rows["members"].pop(),
    ],
)
def test_a_fingerprint_changes_with_any_value(open_tables, literal_fingerprint, edit):
    rows = literal()
    edit(rows)
    assert data_fingerprint(open_tables(rows)) != literal_fingerprint
