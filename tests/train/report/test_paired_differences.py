from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.train.report.mlflow_versions import LoggedTraining
from mqbg.train.report.paired_differences import compare_pair

AS_OF = pd.Timestamp(2024, 5, 1)
PARAMETERS = {
    "target.stage": "opportunity",
    "target.horizon_days": "90",
    "touched_per_snapshot": "2",
}
OLD = LoggedTraining("r1", "1", True, datetime(2024, 1, 1), PARAMETERS, features=("a", "b", "c"))
NEW = LoggedTraining("r2", "2", False, datetime(2024, 2, 1), PARAMETERS, features=("b", "c", "d"))


def row(number, converted, readiness, as_of=AS_OF, account=None):
    return {
        "group_id": f"g{number}",
        "as_of": as_of,
        "account_id": account or f"a{number}",
        "converted": converted,
        "readiness": readiness,
    }


def frame(*rows):
    return pd.DataFrame(rows).astype({"converted": bool, "as_of": "datetime64[us]"})


def world(seed, rows=60):
    draw = np.random.default_rng(seed)
    return frame(
        *(
            row(n, n % 3 == 0, draw.uniform(), AS_OF + timedelta(days=n % 2), f"a{n % 20}")
            for n in range(rows)
        )
    )


def paired(our_rows, their_rows, ours=NEW, theirs=OLD, resamples=20):
    return compare_pair(ours, theirs, our_rows, their_rows, resamples=resamples, seed=3)


def test_a_difference_is_ours_less_theirs_on_the_rows_of_both():
    ours = frame(row(1, True, 0.8), row(2, False, 0.3), row(9, False, 0.9))
    theirs = frame(row(2, False, 0.6), row(1, True, 0.5), row(7, True, 0.1))
    found = paired(ours, theirs)
    loss = (-math.log(0.8) - math.log(0.7)) / 2 - (-math.log(0.5) - math.log(0.4)) / 2
    assert found.figures.loc["log_loss", "value"] == pytest.approx(loss)
    assert found.figures.loc["roc_auc", "value"] == 1.0  # ours ranks both right, theirs wrong
    assert (found.rows, found.conversions, found.accounts) == (2, 1, 2)


def test_one_group_at_two_instants_is_two_rows():
    ours = frame(row(1, True, 0.8), row(1, False, 0.1, AS_OF + timedelta(days=30)))
    theirs = frame(row(1, True, 0.8), row(1, False, 0.1, AS_OF + timedelta(days=60)))
    assert paired(ours, theirs).rows == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_other_way_round_is_the_same_with_the_other_sign(one, two):
    ours, theirs = world(one), world(two)
    forth = paired(ours, theirs).figures
    back = paired(theirs, ours, OLD, NEW).figures
    assert forth["value"].tolist() == pytest.approx((-back["value"]).tolist(), nan_ok=True)
    assert forth["low"].tolist() == pytest.approx((-back["high"]).tolist(), nan_ok=True)


def test_a_training_differs_from_itself_by_nothing():
    found = paired(world(1), world(1)).figures
    assert (found[["value", "low", "high"]].to_numpy() == 0).all()


def test_the_order_of_rows_changes_nothing():
    ours, theirs = world(1), world(2)
    mixed = ours.sample(frac=1.0, random_state=5)
    assert paired(ours, theirs).figures.equals(paired(mixed, theirs).figures)


def test_trainings_without_a_shared_row_cannot_be_compared():
    found = paired(frame(row(1, True, 0.8)), frame(row(2, True, 0.8)))
    assert found.obstacle == "no test row of one is a test row of the other"
    assert found.figures.empty


@pytest.mark.parametrize(
    ("ours", "theirs", "silent"), [(None, world(1), NEW), (world(1), None, OLD)]
)
def test_a_training_without_rows_is_named(ours, theirs, silent):
    assert paired(ours, theirs).obstacle.startswith(f"{silent.name} has no test rows")


@pytest.mark.parametrize(("key", "value"), [("horizon_days", "60"), ("stage", "won")])
def test_another_target_or_horizon_is_no_comparison(key, value):
    other = replace(NEW, parameters={**PARAMETERS, f"target.{key}": value})
    found = paired(world(1), world(2), other)
    assert value in found.obstacle
    assert "opportunity within 90 days" in found.obstacle


@pytest.mark.parametrize("touched", ["", "0", "many"])
def test_a_run_that_does_not_say_what_sales_can_touch_is_no_comparison(touched):
    other = replace(NEW, parameters={**PARAMETERS, "touched_per_snapshot": touched})
    assert "touched_per_snapshot" in paired(world(1), world(2), other).obstacle


def test_the_later_training_says_what_sales_can_touch():
    ours, theirs = world(1), world(2)
    more = replace(NEW, parameters={**PARAMETERS, "touched_per_snapshot": "9"})
    both = [replace(one, parameters=more.parameters) for one in (NEW, OLD)]
    assert paired(ours, theirs, more).figures.equals(paired(ours, theirs, *both).figures)
    assert not paired(ours, theirs, more).figures.equals(paired(ours, theirs).figures)


def test_the_later_training_says_what_converted():
    later = world(1)
    earlier = later.assign(converted=later["converted"] & (later["group_id"] != "g3"))
    found = paired(later, earlier)
    assert (found.revised_outcomes, found.conversions) == (1, int(later["converted"].sum()))
    swapped = paired(earlier, later, OLD, NEW)
    assert (swapped.revised_outcomes, swapped.conversions) == (1, int(later["converted"].sum()))


def test_rows_with_the_same_keys_but_other_outcomes_are_other_data():
    ours = world(1)
    theirs = world(2).assign(converted=np.roll(ours["converted"], 1))
    assert "other data" in paired(ours, theirs).obstacle


def test_rows_with_the_same_keys_but_other_accounts_are_other_data():
    ours = world(1)
    assert "other data" in paired(ours, ours.assign(account_id="elsewhere")).obstacle


def test_rows_of_one_outcome_have_no_figures():
    ours = frame(row(1, False, 0.1), row(2, False, 0.2))
    found = paired(ours, ours)
    assert not found.obstacle
    assert found.figures["value"].isna().all()


def test_features_of_one_alone_are_named():
    found = paired(world(1), world(2))
    assert (found.only_in_candidate, found.only_in_reference) == (("d",), ("a",))
