from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.train.report.mlflow_versions import LoggedTraining
from mqbg.train.report.paired_differences import PairedComparison, compare_pair
from mqbg.train.report.promotion import decide_promotion

PARAMETERS = {
    "target.stage": "opportunity",
    "target.horizon_days": "90",
    "touched_per_snapshot": "20",
}
CHAMPION = LoggedTraining("r1", "1", True, datetime(2024, 1, 1), PARAMETERS, features=("a",))
CHALLENGER = LoggedTraining("r2", "2", False, datetime(2024, 2, 1), PARAMETERS, features=("a",))


def pairing(log_loss=(0.0, -0.1, 0.1), lift=(0.0, -0.1, 0.1), **changes):
    figures = pd.DataFrame(
        [log_loss, lift], ["log_loss", "lift_at_capacity"], ["value", "low", "high"]
    )
    whole = PairedComparison(
        CHALLENGER, CHAMPION, "", figures, rows=900, conversions=80, accounts=300
    )
    return replace(whole, **changes)


@pytest.mark.parametrize(
    ("log_loss", "lift", "holds"),
    [
        ((0.1, 0.01, 0.2), (0.0, -0.1, 0.1), False),  # surely more loss
        ((-0.1, -0.2, -0.01), (0.0, -0.1, 0.1), True),  # surely less
        ((0.1, -0.01, 0.3), (0.0, -0.1, 0.1), True),  # more, but not surely
        ((0.0, -0.1, 0.1), (-0.2, -0.3, -0.1), False),  # surely less lift
        ((0.0, -0.1, 0.1), (0.2, 0.1, 0.3), True),  # surely more
        ((0.0, -0.1, 0.1), (-0.2, -0.4, 0.1), True),  # less, but not surely
        ((-0.1, -0.2, -0.01), (-0.2, -0.3, -0.1), False),  # better in one does not pay for other
        ((0.1, 0.0, 0.2), (-0.1, -0.2, 0.0), True),  # an end on nothing is not wholly bad
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), True),  # the same model
    ],
)
def test_worse_is_an_interval_wholly_on_the_bad_side(log_loss, lift, holds):
    assert decide_promotion(CHALLENGER, pairing(log_loss, lift)).allowed is holds


@given(
    st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(sorted),
    st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(sorted),
)
def test_of_two_at_most_one_is_worse_in_the_same_figure(log_loss, lift):
    def judged(sign):
        parts = [[sign * part for part in sorted(one, key=lambda v: sign * v)] for one in
                 ((log_loss), (lift))]  # fmt: skip
        low_high = [(parts[i][1], parts[i][0], parts[i][2]) for i in (0, 1)]
        return set(decide_promotion(CHALLENGER, pairing(*low_high)).figures["worse"])

    assert not judged(1) & judged(-1)


def test_the_words_name_what_is_worse_with_its_figures():
    said = decide_promotion(CHALLENGER, pairing((0.1, 0.01, 0.2), (0.25, -0.5, 1.0))).reason
    assert said == (
        "Version 2 is worse than the champion, version 1, in log loss: log loss +0.1000 "
        "(+0.0100 to +0.2000), lift at capacity +0.2500 (-0.5000 to +1.0000), on 900 shared test "
        "rows of 300 accounts with 80 conversions."
    )


def test_other_features_are_said_and_no_obstacle():
    other = replace(CHALLENGER, features=("a", "b"))
    judged = decide_promotion(other, pairing(candidate=other))
    assert judged.allowed
    assert "version 2 reads 1 that version 1 does not (b)" in judged.reason


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"obstacle": "no test row of one is a test row of the other"}, "no test row of one"),
        ({"conversions": 4}, "hold 4 conversions"),
        ({"log_loss": (0.1, np.nan, np.nan), "accounts": 1}, "too few for an interval"),
    ],
)
def test_what_cannot_be_judged_does_not_pass(changes, words):
    judged = decide_promotion(CHALLENGER, pairing(**changes))
    assert not judged.allowed
    assert judged.reason.startswith("Version 2 cannot be judged against the champion, version 1: ")
    assert words in judged.reason


def test_the_first_champion_needs_no_comparison():
    assert decide_promotion(CHALLENGER, None).allowed


@pytest.mark.parametrize("against", [None, pairing((-0.1, -0.2, -0.01), (0.2, 0.1, 0.3))])
def test_a_training_that_found_no_signal_does_not_pass(against):
    judged = decide_promotion(replace(CHALLENGER, tags={"signal": "none"}), against)
    assert not judged.allowed
    assert "no signal" in judged.reason


def test_figures_are_json():
    figures = decide_promotion(CHALLENGER, pairing()).figures
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def world(noise, seed=1, groups=600):
    """Chances that are right, made worse by noise in the log-odds."""
    draw = np.random.default_rng(seed)
    odds = draw.normal(-2.0, 1.5, groups)
    converted = draw.uniform(size=groups) < 1 / (1 + np.exp(-odds))
    noisy = odds + np.random.default_rng(seed + 1).normal(0, noise, groups)
    return pd.DataFrame(
        {
            "group_id": [f"g{n}" for n in range(groups)],
            "as_of": pd.Series(pd.Timestamp(2024, 5, 1), range(groups)).astype("datetime64[us]"),
            "account_id": [f"a{n // 2}" for n in range(groups)],
            "converted": converted,
            "readiness": 1 / (1 + np.exp(-noisy)),
        }
    )


@pytest.mark.parametrize(("ours", "theirs", "holds"), [(0, 2, True), (2, 0, False), (0, 0, True)])
def test_on_a_known_truth_the_noisier_model_does_not_pass(ours, theirs, holds):
    found = compare_pair(CHALLENGER, CHAMPION, world(ours), world(theirs), resamples=100, seed=7)
    assert decide_promotion(CHALLENGER, found).allowed is holds
