"""From snapshots to a bundle, on drawn snapshots whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mqbg.model.bundle_files import load_bundle, save_bundle
from mqbg.model.calibrators import Beta, Platt
from mqbg.settings import ThresholdSettings
from mqbg.train.fit import procedure
from mqbg.train.fit.linear import FittedLinear, fit_linear_part
from mqbg.train.fit.procedure import build_training_matrix, category_values, score_snapshots
from mqbg.train.fit.shrinkage import effective_conversions


def with_model(settings, **model):
    return replace(settings, model=replace(settings.model, **model))


def saved_bytes(bundle, folder):
    folder.mkdir()
    save_bundle(bundle, folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def held_out_of_both(learned):
    """Raw scores of trees and, where there is one, the linear part, each without the account."""
    trees, linear = learned.fitted_trees.held_out, learned.fitted_linear
    if linear is None:
        return trees
    share = linear.part.share
    return (1 - share) * trees + share * linear.held_out


@pytest.fixture(scope="module")
def snapshots(made_snapshots):
    return made_snapshots(groups=120, further=(30, 90))


@pytest.fixture(scope="module")
def horizoned(made_settings):
    return replace(made_settings, target=replace(made_settings.target, more_horizons_days=(30, 90)))


@pytest.fixture(scope="module")
def learned(snapshots, horizoned, quickly_learned):
    return quickly_learned(snapshots, horizoned)


def test_training_rows_are_those_of_the_training_cutoffs(snapshots, learned, made_split):
    keys = snapshots.keys[snapshots.keys["as_of"].isin(made_split.train)]
    assert learned.training_matrix.group_id.tolist() == keys["group_id"].tolist()
    assert learned.training_matrix.converted.tolist() == keys["converted"].tolist()
    assert set(learned.scored_rows["as_of"]) == set(made_split.train)
    assert set(learned.recent_rows["as_of"]) == set(made_split.before_test)


def test_rows_weigh_what_the_settings_say(snapshots, words, made_settings, made_split):
    training = snapshots.at_cutoffs(made_split.train)
    for weights in ("rows", "root", "groups"):
        rows = build_training_matrix(training, words, with_model(made_settings, weights=weights))
        # Every group stands in every snapshot, so each way weighs all rows alike.
        assert rows.weight == pytest.approx(np.ones(len(training.keys)))


def test_a_category_value_counts_only_where_groups_enough_had_it(snapshots, words, made_split):
    training = snapshots.at_cutoffs(made_split.train)
    values = category_values(training, words)
    assert values["tier"] == ("A", "B")
    assert values["account"] == ("x",)  # 120 groups had it
    few = snapshots.at_cutoffs(made_split.train)
    scarce = replace(few, features=few.features.slice(0, 40), keys=few.keys.head(40))
    assert category_values(scarce, words)["account"] == ()


def test_the_same_seed_and_data_give_the_same_bytes_at_any_number_of_threads(
    snapshots, horizoned, learned, quickly_learned, tmp_path
):
    one = saved_bytes(learned.bundle, tmp_path / "one")
    other = quickly_learned(snapshots, with_model(horizoned, threads=2))
    assert saved_bytes(other.bundle, tmp_path / "two") == one
    assert set(one) == {"bundle.json", "trees.txt"}


def test_a_learned_bundle_survives_saving_with_its_horizons(learned, horizoned, tmp_path):
    save_bundle(learned.bundle, tmp_path)
    machine = with_model(horizoned, threads=2)
    assert load_bundle(tmp_path) == replace(learned.bundle, settings=machine)


def test_the_calibrator_is_the_chosen_one_of_held_out_scores(learned):
    assert isinstance(learned.bundle.calibrator, Platt | Beta)
    assert learned.bundle.calibrator == learned.calibrator_choice.calibrator
    readiness = learned.bundle.calibrator(held_out_of_both(learned))
    assert learned.scored_rows["readiness"].tolist() == readiness.tolist()


def always_linear(rows, fold, held_out_trees, seed, threads):
    part = fit_linear_part(rows, 0.01, 0.4)
    return FittedLinear(part, 0.01, 0.9 * held_out_trees - 0.1, 0.01)


def test_a_linear_part_is_in_the_bundle_and_refits_have_their_own(
    made_snapshots, made_settings, quickly_learned, monkeypatch
):
    monkeypatch.setattr(procedure, "choose_linear", always_linear)
    learned = quickly_learned(made_snapshots(groups=120), made_settings, refits=2)
    part = learned.bundle.linear
    assert part == learned.fitted_linear.part
    one, other = (refit.linear for refit in learned.bundle.refits)
    assert one != other
    assert {one.share, other.share} == {part.share}
    readiness = learned.bundle.calibrator(held_out_of_both(learned))
    assert learned.scored_rows["readiness"].tolist() == readiness.tolist()


@pytest.mark.slow
def test_tuned_parameters_replace_the_presets(snapshots, made_settings, quickly_learned):
    tuned = quickly_learned(snapshots, made_settings, tuned={"num_leaves": 3})
    assert tuned.fitted_trees.parameters["num_leaves"] == 3
    assert tuned.fitted_trees.parameters["learning_rate"] == 0.03


def test_outcomes_after_training_shape_nothing(
    snapshots, horizoned, learned, quickly_learned, made_split
):
    keys = snapshots.keys.copy()
    later = ~keys["as_of"].isin(made_split.train)
    keys.loc[later, "converted"] = ~keys.loc[later, "converted"]
    further = {
        days: np.where(later, ~known, known)
        for days, known in snapshots.converted_by_horizon.items()
    }
    other = quickly_learned(replace(snapshots, keys=keys, converted_by_horizon=further), horizoned)
    assert other.bundle == learned.bundle


@pytest.mark.slow
def test_with_few_conversions_held_out_scores_are_the_blend(
    made_snapshots, made_settings, made_split, quickly_learned
):
    snapshots = made_snapshots(groups=120)
    few = quickly_learned(snapshots, with_model(made_settings, few_conversions=240))
    effective = effective_conversions(few.training_matrix)
    share = few.bundle.blend.trees_share
    assert share == effective / 240 < 1
    training = snapshots.at_cutoffs(made_split.train)
    rule = few.bundle.blend.rule_log_odds(
        training.feature_values("rule_engagement"), training.feature_values("completeness")
    )
    blended = share * held_out_of_both(few) + (1 - share) * rule
    assert few.scored_rows["readiness"].to_numpy() == pytest.approx(few.bundle.calibrator(blended))


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_rows_of_one_class_leave_the_ranking_to_the_rule(
    made_snapshots, made_settings, made_split, quickly_learned, rate
):
    snapshots = made_snapshots(groups=30, target_rate=rate)
    learned = quickly_learned(snapshots, made_settings)
    bundle = learned.bundle
    assert (
        learned.fitted_trees,
        learned.calibrator_choice,
        bundle.trees,
        bundle.horizon_models,
    ) == (None, None, "", ())
    test = snapshots.at_cutoffs(made_split.test)
    points = test.feature_values("rule_engagement") + 100 * test.feature_values("completeness")
    readiness = score_snapshots(bundle, test)["readiness"].to_numpy()
    assert (
        np.argsort(readiness, kind="stable").tolist() == np.argsort(points, kind="stable").tolist()
    )
    assert np.all((readiness > 0) & (readiness < 1))


@pytest.mark.slow
def test_an_expected_rate_moves_every_chance_by_the_same_log_odds(
    made_snapshots, made_settings, quickly_learned
):
    snapshots = made_snapshots(groups=120)
    plain = quickly_learned(snapshots, made_settings)
    moved = quickly_learned(snapshots, with_model(made_settings, expected_rate=0.05))
    assert moved.bundle.trees == plain.bundle.trees
    log_odds = np.linspace(-3, 3, 7)
    one, two = plain.bundle.readiness(log_odds), moved.bundle.readiness(log_odds)
    by = np.log(two / (1 - two)) - np.log(one / (1 - one))
    rate = plain.training_matrix.converted.mean()
    assert by == pytest.approx(np.log(0.05 / 0.95) - np.log(rate / (1 - rate)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "thresholds",
    [
        ThresholdSettings(policy="value", gain=100.0, cost=20.0),
        ThresholdSettings(policy="precision"),
    ],
)
def test_other_policies_than_capacity_have_no_schedule(
    made_snapshots, made_settings, quickly_learned, thresholds
):
    settings = replace(made_settings, thresholds=thresholds)
    learned = quickly_learned(made_snapshots(groups=100), settings)
    assert learned.bundle.thresholds.schedule == ()
    assert learned.bundle.thresholds.forecast is not None


@pytest.mark.slow
def test_refits_learn_from_halves_of_the_accounts_and_spread_around_the_model(
    made_snapshots, made_settings, made_split, quickly_learned
):
    snapshots = made_snapshots(groups=120)
    learned = quickly_learned(snapshots, made_settings, refits=4)
    refits = learned.bundle.refits
    assert len({refit.trees for refit in refits}) == len(refits) == 4
    assert learned.bundle.trees not in {refit.trees for refit in refits}
    assert replace(learned.bundle, refits=()) == quickly_learned(snapshots, made_settings).bundle
    again = quickly_learned(snapshots, with_model(made_settings, threads=2), refits=4)
    assert again.bundle.refits == refits
    test = snapshots.at_cutoffs(made_split.test)
    matrix = learned.bundle.feature_matrix(test.features)
    log_odds = learned.bundle.log_odds_of_matrix(matrix)
    low, high = learned.bundle.readiness_interval(matrix, log_odds)
    readiness = learned.bundle.readiness(log_odds)
    assert (low < readiness).all()
    assert (readiness < high).all()
