from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st
from mqbg.bundle import load, save
from mqbg.contract import TABLES, BadInput
from mqbg.settings import Model, Observation, Settings, Snapshots, Target, Thresholds
from mqbg.simulate import simulate
from mqbg.train import fit
from mqbg.train.baselines import BASELINES
from mqbg.train.split import Split, forward_split
from mqbg.train.training import MODEL, collect, fingerprint, probe, touched_per_snapshot, train
from mqbg.train.typical import typical_members

SEED = 33
TEST_FROM = datetime(2025, 6, 1)
HORIZON = timedelta(days=150)
SETTINGS = Settings(
    target=Target(horizon_days=150),
    observation=Observation(datetime(2025, 11, 1)),
    snapshots=Snapshots(start=datetime(2024, 11, 1)),
    model=Model(threads=1, resamples=2),
)


def quiet(_label, _share):
    pass


def quickly_trained(source, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "ROUNDS", 50)
        return train(source, progress=quiet, **options)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    out = tmp_path_factory.mktemp("training") / "world"
    simulate(out, groups=250, seed=SEED)
    return {name: pq.read_table(out / f"{name}.parquet") for name in TABLES}


@pytest.fixture(scope="module")
def source(tables, open_tables):
    return open_tables(tables, SETTINGS)


@pytest.fixture(scope="module")
def trained(source):
    return quickly_trained(source, test_from=TEST_FROM)


@pytest.fixture(scope="module")
def learned(source, trained):
    """The training part, collected once more, without any test cut-off."""
    return collect(source, trained.bundle.catalogue, trained.split.train, quiet)


def converts(tables, group_id, as_of):
    """The label by its definition."""
    return any(
        event["group_id"] == group_id
        and event["stage"] == SETTINGS.target.stage
        and as_of <= event["occurred_at"] < as_of + HORIZON
        for event in tables["stage_events"].to_pylist()
    )


# Time


def test_no_training_label_reaches_into_the_test(trained):
    split = trained.split
    assert len(split.train) == 3  # on the first of November, December and January
    assert max(split.train) + HORIZON <= split.test_from == TEST_FROM <= min(split.test)
    assert set(trained.rows["as_of"]) == set(split.test)
    assert trained.bundle.training.last_as_of == split.train[-1]


def splits(cutoffs, gap, test_from):
    """Whether there is a cut-off to learn from and one to be judged on."""
    return any(
        early + gap <= late and (test_from is None or early + gap <= test_from <= late)
        for early in cutoffs
        for late in cutoffs
    )


@given(
    days=st.lists(st.integers(0, 900), min_size=1, max_size=30, unique=True),
    horizon=st.integers(1, 300),
    start=st.none() | st.integers(-10, 910),
)
@checks(max_examples=200, deadline=None, derandomize=True)
def test_a_split_is_forward_with_a_gap_of_one_horizon_or_refused(days, horizon, start):
    first, gap = datetime(2022, 1, 1), timedelta(days=horizon)
    cutoffs = [first + timedelta(days=day) for day in sorted(days)]
    test_from = None if start is None else first + timedelta(days=start)
    if not splits(cutoffs, gap, test_from):
        with pytest.raises(BadInput, match="bring a longer history"):
            forward_split(cutoffs, horizon, test_from)
        return
    split = forward_split(cutoffs, horizon, test_from)
    assert split.train
    assert split.test
    assert split.train == tuple(c for c in cutoffs if c + gap <= split.test_from)
    assert split.test == tuple(c for c in cutoffs if c >= split.test_from)


def test_what_was_known_from_the_test_on_shapes_nothing_but_the_fingerprint(
    tables, open_tables, trained
):
    known = pc.coalesce(tables["activities"]["recorded_at"], tables["activities"]["occurred_at"])
    before = pa.scalar(TEST_FROM, pa.timestamp("us"))
    ended = pc.less(tables["members"]["joined_at"], before)
    blind = {
        **tables,
        "activities": tables["activities"].filter(pc.less(known, before)),
        "members": tables["members"].filter(ended),
    }
    assert blind["activities"].num_rows < tables["activities"].num_rows
    other = quickly_trained(open_tables(blind, SETTINGS), test_from=TEST_FROM).bundle
    assert other.training.fingerprint != trained.bundle.training.fingerprint
    same = replace(other.training, fingerprint=trained.bundle.training.fingerprint)
    assert replace(other, training=same) == trained.bundle


def test_typical_members_are_of_the_training_cutoffs_alone(source, trained, learned):
    words = trained.bundle.catalogue
    assert typical_members(learned.engaged, words) == trained.bundle.typical
    test = collect(source, words, trained.split.test[:1], quiet)
    assert typical_members(test.engaged, words) != trained.bundle.typical


# Rows


def test_rows_are_labelled_by_conversions_within_the_horizon(tables, trained, learned):
    for rows in (learned.keys.iloc[::7], trained.rows.iloc[::7]):
        labels = [converts(tables, row.group_id, row.as_of) for row in rows.itertuples()]
        assert rows["converted"].tolist() == labels
        assert 0 < sum(labels) < len(labels)


def test_the_bundle_says_how_much_it_was_trained_on(trained, learned):
    about = trained.bundle.training
    assert (about.rows, about.conversions) == (len(learned.keys), learned.keys["converted"].sum())
    assert (about.first_as_of, about.test_from) == (trained.split.train[0], TEST_FROM)
    left = learned.features["members_left_90d"].to_pylist()
    assert about.snapshots_with_leavers == sum(count > 0 for count in left)


def test_test_rows_say_whether_their_account_was_trained_on(tables, trained, learned):
    groups = tables["buying_groups"].to_pylist()
    account = {row["group_id"]: row["account_id"] for row in groups}
    known = {account[group_id] for group_id in learned.keys["group_id"]}
    seen = [account[group_id] in known for group_id in trained.rows["group_id"]]
    assert trained.rows["seen"].tolist() == seen
    assert 0 < sum(seen) < len(seen)


def test_categories_are_the_values_of_the_training_rows(trained, learned):
    values = trained.bundle.category_values
    assert {"solution", "industry", "country", "tier"} <= set(values)
    assert set(values) == set(trained.bundle.catalogue.categories)
    for name, known in values.items():
        found = {value for value in learned.features[name].to_pylist() if value is not None}
        assert known == tuple(sorted(found))


def test_the_model_and_every_baseline_are_judged_on_the_same_rows(trained):
    assert set(trained.probabilities) == {MODEL, *BASELINES}
    for probability in trained.probabilities.values():
        assert probability.shape == (len(trained.rows),)
        assert np.all((probability >= 0) & (probability <= 1))


def test_the_calibrator_and_the_interval_come_from_held_out_scores(trained):
    scores = set(trained.fitted.held_out.tolist())
    assert set(trained.bundle.interval.scores) <= scores
    assert trained.fitted.held_out.size == trained.bundle.training.rows


def test_a_trained_bundle_survives_saving(trained, tmp_path):
    save(trained.bundle, tmp_path)
    machine = replace(trained.bundle.settings, model=Model(resamples=2))
    assert load(tmp_path) == replace(trained.bundle, settings=machine)


def test_the_trees_have_the_names_of_the_catalogue(trained):
    booster = lgb.Booster(model_str=trained.bundle.trees)
    assert booster.feature_name() == list(trained.bundle.catalogue.names)
    assert booster.num_trees() == trained.fitted.rounds


# Probes and ablation


def leaky(tables):
    """The tables, where only accounts whose groups converted before the test have a tier."""
    won = {
        event["group_id"]
        for event in tables["stage_events"].to_pylist()
        if event["stage"] == "opportunity" and event["occurred_at"] < TEST_FROM
    }
    groups = tables["buying_groups"].to_pylist()
    owners = {row["account_id"] for row in groups if row["group_id"] in won}
    accounts = tables["accounts"].to_pylist()
    tiers = [row["tier"] if row["account_id"] in owners else None for row in accounts]
    place = tables["accounts"].schema.get_field_index("tier")
    return {**tables, "accounts": tables["accounts"].set_column(place, "tier", pa.array(tiers))}


def test_a_sound_world_trains_without_a_finding(trained):
    assert trained.findings == ()


def test_training_warns_of_a_leak_before_the_fit_and_goes_on(tables, open_tables, caplog):
    labels = []
    with pytest.MonkeyPatch.context() as patch, caplog.at_level("WARNING", "mqbg.train"):
        patch.setattr(fit, "ROUNDS", 50)
        leaked = train(
            open_tables(leaky(tables), SETTINGS),
            test_from=TEST_FROM,
            progress=lambda label, _share: labels.append((label, len(caplog.records))),
        )
    assert "tier" in {finding.thing for finding in leaked.findings}
    ours = [record for record in caplog.records if record.name.startswith("mqbg.train")]
    assert [record.getMessage() for record in ours] == [f.sentence for f in leaked.findings]
    before = min(records for label, records in labels if label == "trees")
    assert caplog.records[:before] == caplog.records
    assert leaked.bundle.trees


def test_probing_alone_finds_what_a_training_finds(tables, open_tables):
    source = open_tables(leaky(tables), SETTINGS)
    found = probe(source, quiet, test_from=TEST_FROM)
    assert found == quickly_trained(source, test_from=TEST_FROM).findings


def test_every_theme_of_the_catalogue_is_left_out_once(trained):
    counts = trained.ablation.set_index("theme")["features"]
    themes = [feature.theme for feature in trained.bundle.catalogue.features]
    singles = {theme: themes.count(theme) for theme in themes}
    assert counts.drop("roles+completeness").to_dict() == singles
    assert counts["roles+completeness"] == singles["roles"] + singles["completeness"]


def test_the_settings_turn_the_ablation_off(tables, open_tables):
    off = replace(SETTINGS, model=replace(SETTINGS.model, ablation=False))
    trained = quickly_trained(open_tables(tables, off), test_from=TEST_FROM)
    assert trained.ablation is None


# Refusals


def poor(open_tables, until, stages=()):
    """One group with one member, and a cut-off on the first of each month from February on."""
    rows = {
        "members": [{"group_id": "g1", "contact_id": "c1"}],
        "activities": [{"contact_id": "c1", "occurred_at": datetime(2024, 1, 1)}],
        "stage_events": [
            {"group_id": "g1", "stage": stage, "occurred_at": datetime(2024, 2, 2)}
            for stage in stages
        ],
    }
    settings = replace(
        SETTINGS,
        target=Target(horizon_days=29),
        observation=Observation(until),
        snapshots=Snapshots(start=datetime(2024, 2, 1)),
    )
    return open_tables(rows, settings)


@pytest.mark.parametrize(
    ("until", "stages", "said"),
    [
        (datetime(2024, 2, 20), (), "expected at least one cut-off from 2024-02-01"),
        (datetime(2024, 3, 9), (), "split: expected training cut-offs"),
        (datetime(2024, 4, 20), (), "got 0 and 1;"),
        (datetime(2024, 4, 20), ("opportunity",), "got 1 and 0;"),
    ],
    ids=["no horizon ends", "nothing to test on", "nobody converted", "everybody converted"],
)
def test_too_little_to_learn_from_is_refused(open_tables, until, stages, said):
    with pytest.raises(BadInput) as caught:
        train(poor(open_tables, until, stages), test_from=None, progress=quiet)
    assert said in str(caught.value)
    assert "longer history" in str(caught.value)


def test_no_open_group_at_any_cutoff_is_refused(source, trained):
    early = (datetime(2001, 1, 1),)
    with pytest.raises(BadInput, match="groups that were open between 2001-01-01 and 2001-01-01"):
        collect(source, trained.bundle.catalogue, early, quiet)


# Small parts


def on(*days):
    return tuple(datetime(2024, 1, 1) + timedelta(days=day) for day in days)


@pytest.mark.parametrize(
    ("train_on", "test_on", "capacity", "touched"),
    [
        (on(0, 7), on(21), 20.0, 30),  # gaps of 7 and 14 days: 10.5 in the middle
        (on(0, 7, 14), on(28), 20.0, 20),
        (on(0, 30), on(60), 7.0, 30),
        (on(0), on(7), 0.01, 1),
        (on(0), (), 7.0, 30),  # one cut-off alone: a month
    ],
)
def test_touched_groups_are_the_capacity_between_two_snapshots(
    train_on, test_on, capacity, touched
):
    settings = Settings(thresholds=Thresholds(capacity_per_week=capacity))
    got = touched_per_snapshot(Split(train_on, test_on, datetime(2024, 1, 1)), settings)
    assert got == touched


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
    found = fingerprint(open_tables(literal()))
    assert fingerprint(open_tables(literal())) == found
    return found


def change(table, row, **values):
    def changed(rows):
        rows[table][row] = {**rows[table][row], **values}

    return changed


def swap_names(rows):
    first, second = rows["accounts"]
    first["name"], second["name"] = second["name"], first["name"]


def test_a_fingerprint_does_not_depend_on_the_order_of_rows(tables, open_tables, trained):
    draw = np.random.default_rng(SEED)
    shuffled = {name: table.take(draw.permutation(len(table))) for name, table in tables.items()}
    assert fingerprint(open_tables(shuffled)) == trained.bundle.training.fingerprint


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
    assert fingerprint(open_tables(rows)) != literal_fingerprint
