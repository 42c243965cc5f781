from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st
from mqbg.contract import BadInput
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.themes.history import LARGE_ACCOUNT_GROUPS
from mqbg.features.tables.feature_source import without_lone_activities
from mqbg.features.tables.feature_table import feature_table
from mqbg.features.time_rules.eligible_groups import start_of_history, training_cutoffs
from mqbg.model import bundle
from mqbg.model.bundle_files import load_bundle, save_bundle
from mqbg.settings import (
    ExplainSettings,
    ModelSettings,
    ObservationSettings,
    Settings,
    SnapshotSettings,
    TargetSettings,
    ThresholdSettings,
)
from mqbg.train.data import training_data
from mqbg.train.data.snapshots import collect_snapshots
from mqbg.train.data.split import forward_split
from mqbg.train.data.training_data import split_and_catalogue, thin_training_sentence
from mqbg.train.evaluate.baselines import BASELINES
from mqbg.train.evaluate.evaluation import MODEL
from mqbg.train.fit import linear
from mqbg.train.fit import trees as fit
from mqbg.train.fit.reference_members import find_reference_members
from mqbg.train.fit.shrinkage import describe_blend
from mqbg.train.training import (
    probe_leaks,
    train,
)

TEST_FROM = datetime(2025, 7, 1)
HORIZON = timedelta(days=150)
OBSERVED_UNTIL = datetime(2025, 12, 1)
SETTINGS = Settings(  # those of the training that is looked at
    target=TargetSettings(horizon_days=150),
    observation=ObservationSettings(OBSERVED_UNTIL),
    snapshots=SnapshotSettings(start=datetime(2024, 12, 1)),
    model=ModelSettings(threads=1, refits=2, resamples=20, few_conversions=10),
    explain=ExplainSettings(min_support=5),
    thresholds=ThresholdSettings(held_out_nights=3),
)


def quiet(_label, _share):
    pass


# Columns of every theme and scope, for what is the same whichever there are: compiling and fitting
# all of them is most of what a training takes.
FEW = (
    *("inbound_30d", "inbound_ever", "high_intent_90d", "engagement_21", "days_since_inbound"),
    *("members", "members_left_90d", "members_joined_90d", "active_share_30d", "newly_awake"),
    *("logged_90d", "completeness", "engaged_completeness", "rule_engagement", "points_75_25"),
    *("outbound_30d", "group_age_days", "stage_changes", "verdicts_rejected", "questions_answered"),
    *("account_conversion_rate", "solution", "tier", "industry", "country"),
)


def of_few(vocabulary, _names=None):
    return build_catalogue(vocabulary, FEW)


@contextmanager
def few_columns():
    """Trainings in which the catalogue has no other columns than `FEW`, and few trees."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (training_data, bundle):
            patch.setattr(module, "build_catalogue", of_few)
        patch.setattr(fit, "ROUNDS", 50)
        yield


def quickly_trained(source, **options):
    """A training that chooses among as little as that of `small_champion`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "ROUNDS", 50)
        patch.setattr(linear, "PENALTIES", (1e-3,))
        patch.setattr(linear, "SHARES", (0.3,))
        return train(source, progress=quiet, **options)


@pytest.fixture(scope="module")
def tables(small_world):
    return small_world


@pytest.fixture(scope="module")
def source(tables, open_tables):
    return open_tables(tables, SETTINGS)


@pytest.fixture(scope="module")
def trained(small_training):
    return small_training


@pytest.fixture(scope="module")
def learned(source, trained):
    """The training part, collected once more, without any test cut-off."""
    catalogue = trained.learned.bundle.catalogue
    return collect_snapshots(source, catalogue, trained.split.train, quiet)


def converts(tables, group_id, as_of):
    """The label by its definition."""
    return any(
        event["group_id"] == group_id
        and event["stage"] == SETTINGS.target.stage
        and as_of <= event["occurred_at"] < as_of + HORIZON
        for event in tables["stage_events"].to_pylist()
    )


# Time


@pytest.fixture(scope="module")
def misdated(tables):
    """The world with an activity of 1999, one of 2029 and one that is planned."""
    activities = tables["activities"]
    real = activities.filter(pc.is_valid(activities["contact_id"])).slice(0, 3)
    times = [datetime(1999, 1, 1), datetime(2029, 1, 1), datetime(2026, 3, 10)]
    values = {
        "activity_id": ["odd-1", "odd-2", "odd-3"], "occurred_at": times, "recorded_at": [None] * 3,
    }  # fmt: skip
    for name, column in values.items():
        field = activities.schema.field(name)
        place = activities.schema.get_field_index(name)
        real = real.set_column(place, field, pa.array(column, field.type))
    return {**tables, "activities": pa.concat_tables([activities, real])}


@pytest.mark.slow
def test_misdated_rows_move_neither_the_split_nor_a_feature(tables, misdated, open_tables):
    settings = replace(SETTINGS, observation=ObservationSettings())
    sources = [without_lone_activities(open_tables(t, settings)) for t in (tables, misdated)]
    with few_columns():
        splits = [split_and_catalogue(source, None) for source in sources]
    (split, catalogue), (other_split, other_catalogue) = splits
    assert other_split == split
    assert other_catalogue.vocabulary == catalogue.vocabulary
    plain, odd = (feature_table(one, catalogue, split.test[-1:]) for one in sources)
    assert odd.equals(plain)


@pytest.mark.slow
def test_misdated_rows_change_no_figure(tables, misdated, open_tables):
    settings = replace(SETTINGS, observation=ObservationSettings())
    with few_columns():
        plain, odd = (quickly_trained(open_tables(t, settings)) for t in (tables, misdated))
    pd.testing.assert_frame_equal(odd.evaluation.figures, plain.evaluation.figures)
    assert odd.bundle.settings.observation.since == datetime(2021, 1, 2)
    np.testing.assert_array_equal(
        odd.evaluation.probabilities[MODEL], plain.evaluation.probabilities[MODEL]
    )


def test_no_training_label_reaches_into_the_test(trained):
    split = trained.split
    assert len(split.train) == 3  # on the first of December, January and February
    assert max(split.train) + HORIZON <= split.test_from == TEST_FROM <= min(split.test)
    assert set(trained.evaluation.rows["as_of"]) == set(split.test)
    assert trained.learned.bundle.training.last_as_of == split.train[-1]


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


@pytest.mark.slow
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
    other = quickly_trained(open_tables(blind, SETTINGS), test_from=TEST_FROM).learned.bundle
    assert other.training.fingerprint != trained.bundle.training.fingerprint
    same = replace(other.training, fingerprint=trained.bundle.training.fingerprint)
    assert replace(other, training=same) == trained.learned.bundle


def held_out_of_both(learned):
    """Raw scores of trees and, where there is one, the linear part, each without the account."""
    trees, linear = learned.fitted_trees.held_out, learned.fitted_linear
    return trees if linear is None else linear.part.blended(trees, linear.held_out)


@pytest.mark.slow
def test_what_is_registered_learned_from_every_label_known(source, trained):
    split, about = trained.split, trained.bundle.training
    every = training_cutoffs(SETTINGS, start_of_history(source.tables), OBSERVED_UNTIL)
    assert set(split.train) < set(split.labelled) == set(every)
    names = ["members", "inbound_30d", "rule_engagement"]  # who converts is the same with these
    few = build_catalogue(trained.bundle.vocabulary, names)
    rows = collect_snapshots(source, few, every, quiet)
    assert (about.rows, about.conversions) == (len(rows.keys), rows.converted.sum())
    assert (about.first_as_of, about.last_as_of) == (every[0], every[-1])
    assert replace(trained.bundle, profile=None) == trained.refit.bundle
    assert set(trained.refit.scored_rows["as_of"]) == set(every)
    held_out = held_out_of_both(trained.refit)
    assert trained.refit.scored_rows["readiness"].tolist() == (
        trained.bundle.calibrator(held_out).tolist()
    )


@pytest.mark.slow
def test_figures_are_of_the_model_that_did_not_see_the_test(source, trained):
    rows = trained.evaluation.rows
    test = collect_snapshots(source, trained.learned.bundle.catalogue, trained.split.test, quiet)
    judged = trained.learned.bundle
    readiness = judged.readiness(judged.log_odds(test.features))
    assert rows["readiness"].tolist() == readiness.tolist()
    assert trained.bundle.trees != judged.trees


def test_the_registered_line_follows_the_capacity_up_to_the_last_cutoff(trained):
    assert trained.learned.bundle.thresholds.updated_until < trained.split.test_from
    assert trained.bundle.thresholds.updated_until == trained.split.cutoffs[-1]


@pytest.mark.slow
def test_a_role_that_came_after_the_test_began_has_columns_in_what_is_registered(
    tables, open_tables
):
    members = tables["members"].to_pandas()
    late = members["joined_at"] > TEST_FROM
    members.loc[late, "role"] = "newcomer"
    source = open_tables(
        {**tables, "members": pa.Table.from_pandas(members, tables["members"].schema, False)},
        SETTINGS,
    )
    found = quickly_trained(source, test_from=TEST_FROM)
    roles = [
        [role.name for role in one.bundle.vocabulary.template.roles]
        for one in (found.learned, found.registered)
    ]
    assert "newcomer" not in roles[0]
    assert "newcomer" in roles[1]


def test_typical_members_are_of_the_training_cutoffs_alone(source, trained, learned):
    bundle = trained.learned.bundle
    words = bundle.catalogue
    assert find_reference_members(learned.engaged_members, words) == bundle.reference_members
    test = collect_snapshots(source, words, trained.split.test[:1], quiet)
    assert find_reference_members(test.engaged_members, words) != bundle.reference_members


# Rows


def test_rows_are_labelled_by_conversions_within_the_horizon(tables, trained, learned):
    for rows in (learned.keys.iloc[::7], trained.evaluation.rows.iloc[::7]):
        labels = [converts(tables, row.group_id, row.as_of) for row in rows.itertuples()]
        assert rows["converted"].tolist() == labels
        assert 0 < sum(labels) < len(labels)


def test_the_bundle_says_how_much_it_was_trained_on(trained, learned):
    about = trained.learned.bundle.training
    assert (about.rows, about.conversions) == (len(learned.keys), learned.keys["converted"].sum())
    assert (about.first_as_of, about.test_from) == (trained.split.train[0], TEST_FROM)
    left = learned.features["members_left_90d"].to_pylist()
    assert about.snapshots_with_leavers == sum(count > 0 for count in left)


def test_test_rows_say_whether_their_account_was_trained_on(tables, trained, learned):
    groups = tables["buying_groups"].to_pylist()
    account = {row["group_id"]: row["account_id"] for row in groups}
    known = {account[group_id] for group_id in learned.keys["group_id"]}
    seen = [account[group_id] in known for group_id in trained.evaluation.rows["group_id"]]
    assert trained.evaluation.rows["seen"].tolist() == seen
    assert 0 < sum(seen) < len(seen)


def test_categories_are_the_values_of_the_training_rows(trained, learned):
    values = trained.learned.bundle.category_values
    assert {"solution", "industry", "country", "tier"} <= set(values)
    assert set(values) == set(trained.bundle.catalogue.categorical_features)
    for name, known in values.items():
        pairs = set(zip(learned.keys["group_id"], learned.features[name].to_pylist(), strict=True))
        groups = Counter(value for _group, value in pairs if value is not None)
        least = LARGE_ACCOUNT_GROUPS if name == "account" else 1
        assert known == tuple(sorted(v for v, count in groups.items() if count >= least))


def test_the_model_and_every_baseline_are_judged_on_the_same_rows(trained):
    assert set(trained.evaluation.probabilities) == {MODEL, *BASELINES}
    for probability in trained.evaluation.probabilities.values():
        assert probability.shape == (len(trained.evaluation.rows),)
        assert np.all((probability >= 0) & (probability <= 1))


def test_the_calibrator_and_the_interval_come_from_held_out_scores(trained):
    for fit_result in (trained.learned, trained.refit):
        scores = set(held_out_of_both(fit_result).tolist())
        assert set(fit_result.bundle.interval.scores) <= scores
        assert fit_result.fitted_trees.held_out.size == fit_result.bundle.training.rows


def test_a_trained_bundle_survives_saving(trained, tmp_path):
    save_bundle(trained.bundle, tmp_path)
    machine = replace(trained.bundle.settings, model=replace(SETTINGS.model, threads=2))
    assert load_bundle(tmp_path) == replace(trained.bundle, settings=machine)


def test_the_trees_have_the_names_of_the_catalogue(trained):
    booster = lgb.Booster(model_str=trained.bundle.trees)
    assert booster.feature_name() == list(trained.bundle.catalogue.feature_names)
    assert booster.num_trees() == trained.refit.fitted_trees.rounds


def test_the_example_is_a_few_rows_of_numbers_and_texts_as_mlflow_takes_them(trained):
    kinds = {
        f.name: pa.string() if f.categorical else pa.float64()
        for f in trained.bundle.catalogue.features
    }
    assert {field.name: field.type for field in trained.input_example.schema} == kinds


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


@pytest.fixture(scope="module")
def leaked(tables, open_tables):
    """A training on leaky tables without ablation, and how many warnings each label came after.

    It has few columns, the leaking one among them. A policy that follows no capacity needs no
    cut-offs but those of the two parts.
    """
    off = replace(
        SETTINGS,
        model=replace(SETTINGS.model, ablation=False, resamples=2),
        thresholds=ThresholdSettings(policy="precision"),
    )
    source = open_tables(leaky(tables), off)
    said, labels = [], []
    handler = logging.Handler()
    handler.emit = said.append
    logger = logging.getLogger("mqbg.train")
    logger.addHandler(handler)
    with few_columns():
        found = train(
            source,
            test_from=TEST_FROM,
            progress=lambda label, _share: labels.append((label, len(said))),
        )
    logger.removeHandler(handler)
    return source, found, [record.getMessage() for record in said], labels


def test_training_warns_of_a_leak_before_the_fit_and_goes_on(leaked):
    _source, found, said, labels = leaked
    assert "tier" in {finding.thing for finding in found.findings}
    findings = [finding.sentence for finding in found.findings]
    assert said[: len(findings)] == findings
    assert min(told for label, told in labels if label == "trees") >= len(findings)
    assert found.bundle.trees


def test_training_warns_of_a_part_to_learn_from_that_is_too_thin(made_snapshots, made_split):
    snapshots = made_snapshots(groups=60)
    assert thin_training_sentence(made_split, snapshots.at_cutoffs(made_split.train)) == ""
    thin = replace(made_split, train=made_split.train[:2])
    few = made_snapshots(groups=10).at_cutoffs(thin.train)
    sentence = thin_training_sentence(thin, few)
    groups = few.keys.loc[few.converted, "group_id"].nunique()
    assert f"2 of 3 cut-offs and {groups} of 30 converted groups" in sentence
    assert "denser [snapshots]" in sentence


def test_probing_alone_finds_what_a_training_finds(leaked):
    source, found, _said, _labels = leaked
    with few_columns():
        assert probe_leaks(source, quiet, test_from=TEST_FROM) == found.findings


def test_the_settings_turn_the_ablation_off(leaked):
    assert leaked[1].ablation is None


def test_every_theme_of_the_catalogue_is_left_out_once(trained):
    counts = trained.ablation.set_index("theme")["features"]
    themes = [feature.theme for feature in trained.bundle.catalogue.features]
    singles = {theme: themes.count(theme) for theme in themes}
    assert counts.drop("roles+completeness").to_dict() == singles
    assert counts["roles+completeness"] == singles["roles"] + singles["completeness"]


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
        target=TargetSettings(horizon_days=29),
        observation=ObservationSettings(until),
        snapshots=SnapshotSettings(start=datetime(2024, 2, 1)),
    )
    return open_tables(rows, settings)


@pytest.mark.parametrize(
    ("until", "stages", "said"),
    [
        (datetime(2024, 2, 20), (), "expected at least one cut-off from 2024-02-01"),
        (datetime(2024, 3, 9), (), "split: expected training cut-offs"),
        (datetime(2024, 4, 20), ("opportunity",), "found none;"),
    ],
    ids=["no horizon ends", "nothing to test on", "nobody left to test on"],
)
def test_too_little_to_learn_from_is_refused(open_tables, until, stages, said):
    with few_columns(), pytest.raises(BadInput) as caught:
        train(poor(open_tables, until, stages), test_from=None, progress=quiet)
    assert said in str(caught.value)
    assert "longer history" in str(caught.value)


@pytest.mark.slow
def test_with_no_conversion_at_all_the_rule_ranks_and_says_so(open_tables):
    with few_columns():
        trained = train(poor(open_tables, datetime(2024, 4, 20)), test_from=None, progress=quiet)
    assert trained.bundle.trees == ""
    assert trained.few_labels
    assert "the rule score of engagement and completeness ranks the groups" in describe_blend(
        trained.bundle.blend, 100
    )


def test_a_target_stage_that_never_occurs_is_refused_before_any_work(tables, open_tables):
    misspelt = replace(SETTINGS, target=replace(SETTINGS.target, stage="oportunity"))
    worked = []
    with pytest.raises(BadInput, match="perhaps to 'opportunity'"):
        train(
            open_tables(tables, misspelt),
            test_from=None,
            progress=lambda *told: worked.append(told),
        )
    assert not worked


def test_the_thresholds_are_measured_on_nights_that_nothing_was_learned_from(trained):
    nights = trained.nights
    last = trained.split.test[-1]
    assert (nights.count, nights.first, nights.last) == (3, last - timedelta(days=3), last)
    assert last + HORIZON <= OBSERVED_UNTIL  # all of their outcomes are known
    capacity = SETTINGS.thresholds.capacity_per_week
    assert 0 <= nights.performance.per_week.value <= capacity * 3.5 / 3


@pytest.mark.slow
def test_a_capacity_of_a_segment_without_groups_is_refused(source):
    own = ThresholdSettings(segment="tier", capacity_by_segment={"Z": 5.0})
    other = replace(source, settings=replace(source.settings, thresholds=own))
    said = r"values of tier that groups have \(A, B, C\), got 'Z'"
    with few_columns(), pytest.raises(BadInput, match=said):
        quickly_trained(other)
