from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from mqbg.model.calibrators import Platt
from mqbg.train.evaluate import ablation as room
from mqbg.train.evaluate.ablation import (
    ALL_FEATURES,
    ablate_themes,
    ablated_log_odds,
    columns_by_theme,
    drop_columns,
)
from mqbg.train.evaluate.comparison import compute_metrics, paired_differences
from mqbg.train.fit.trees import (
    PRESET,
    FittedTrees,
    TrainingMatrix,
    rows_of_drawn_accounts,
    select_rows,
)
from mqbg.train.report.console import ablation_table
from mqbg.train.report.metrics import ablation_metrics
from rich.console import Console
from scipy.special import expit

SEED = 17
ROUNDS = 20
TOUCHED = 20
PARAMETERS = {**PRESET, "seed": 7, "num_threads": 1}
AS_IT_IS = Platt(1.0, 0.0)
ENDS = ("", "_low", "_high")


@dataclass(frozen=True)
class Named:
    """As much of a feature as the ablation reads."""

    name: str
    theme: str


# `told` and `echo` say the same: what one loses the other has.
FEATURES = (
    Named("told", "engagement"),
    Named("noise", "fit"),
    Named("echo", "roles"),
    Named("echoed", "completeness"),
    Named("sector", "fit"),
)


def made(rows, seed):
    draw = np.random.default_rng(seed)
    told, noise, echo = draw.normal(size=(3, rows))
    sector = draw.integers(0, 3, rows).astype(float)
    x = np.column_stack([told, noise, echo, echo, sector])
    converted = draw.random(rows) < expit(1.5 * told + 1.5 * echo - 1.0)
    account = np.array([f"a{number % 60}" for number in range(rows)], dtype=object)
    return x, converted, account


@pytest.fixture(scope="module")
def training():
    x, converted, account = made(800, SEED)
    group = np.array([f"g{number}" for number in range(800)], dtype=object)
    return TrainingMatrix(
        x, converted, account, group, np.ones(800), tuple(f.name for f in FEATURES), (4,)
    )


@pytest.fixture(scope="module")
def fitted(training):
    return FittedTrees(
        "", ROUNDS, np.zeros(800), np.zeros(800, np.intp), PARAMETERS, pd.DataFrame()
    )


@pytest.fixture(scope="module")
def later_rows():
    x, converted, account = made(600, SEED + 1)
    days = [datetime(2025, 1 + number % 3, 1) for number in range(600)]
    rows = pd.DataFrame(
        {"account_id": account, "as_of": days, "converted": converted, "seen": True}
    )
    return x, rows


def run(training, fitted, later_rows, rows=None):
    x, given = later_rows
    whole = AS_IT_IS(ablated_log_odds(training, x, fitted, ()))
    return ablate_themes(
        FEATURES, training, x, given if rows is None else rows, whole, fitted, AS_IT_IS,
        touched_per_snapshot=TOUCHED, resamples=40, seed=SEED,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ablated(training, fitted, later_rows):
    return run(training, fitted, later_rows).set_index("theme")


def test_every_theme_is_left_out_by_itself_and_two_together():
    assert columns_by_theme(FEATURES) == {
        "engagement": (0,),
        "fit": (1, 4),
        "roles": (2,),
        "completeness": (3,),
        "roles+completeness": (2, 3),
    }


def test_without_one_of_the_two_nothing_is_left_out_together():
    assert "roles+completeness" not in columns_by_theme(FEATURES[:3])


def test_rows_without_columns_keep_the_others_with_their_names_and_categories(training):
    part = drop_columns(training, (0, 2))
    assert part.names == ("noise", "echoed", "sector")
    assert np.array_equal(part.x, training.x[:, [1, 3, 4]])
    assert part.category_indices == (2,)
    assert drop_columns(training, (1, 4)).category_indices == ()


def test_a_left_out_column_changes_no_score(training, fitted, later_rows):
    x, _rows = later_rows
    other = x.copy()
    other[:, [1, 4]] = np.nan
    one = ablated_log_odds(training, x, fitted, (1, 4))
    assert np.array_equal(one, ablated_log_odds(training, other, fitted, (1, 4)))


def test_one_row_per_theme_counts_its_features(ablated):
    assert ablated["features"].to_dict() == {
        "engagement": 1, "fit": 2, "roles": 1, "completeness": 1, "roles+completeness": 2,
    }  # fmt: skip


def test_figures_without_a_theme_are_those_of_trees_that_never_saw_it(
    ablated, training, fitted, later_rows
):
    x, rows = later_rows
    for theme, places in columns_by_theme(FEATURES).items():
        chance = AS_IT_IS(ablated_log_odds(training, x, fitted, places))
        figures = compute_metrics(
            rows["converted"].to_numpy(), chance, rows["as_of"].to_numpy(),
            touched_per_snapshot=TOUCHED,
        )  # fmt: skip
        for figure in ("roc_auc", "log_loss"):
            assert ablated.loc[theme, figure] == pytest.approx(figures[figure], abs=1e-12)


def test_a_gain_is_above_zero_where_the_theme_helps_in_both_figures(ablated):
    for figure in ("roc_auc_gain", "log_loss_gain"):
        assert ablated.loc["engagement", f"{figure}_low"] > 0
        assert ablated.loc["roles+completeness", f"{figure}_low"] > 0


def test_what_another_theme_can_stand_in_for_costs_next_to_nothing(ablated):
    together = ablated.loc["roles+completeness", "roc_auc_gain"]
    for theme in ("roles", "completeness"):
        assert abs(ablated.loc[theme, "roc_auc_gain"]) < together / 5


def test_gains_and_intervals_are_the_paired_bootstrap_of_the_evaluation(
    ablated, training, fitted, later_rows
):
    x, rows = later_rows
    chances = {ALL_FEATURES: AS_IT_IS(ablated_log_odds(training, x, fitted, ()))}
    chances["engagement"] = AS_IT_IS(ablated_log_odds(training, x, fitted, (0,)))
    paired = paired_differences(
        rows, chances, model=ALL_FEATURES, touched_per_snapshot=TOUCHED, resamples=40, seed=SEED
    )
    known = paired[paired["population"] == "all accounts"].set_index("figure")
    ours = ablated.loc["engagement"]
    auc, loss = known.loc["roc_auc"], known.loc["log_loss"]
    assert [ours[f"roc_auc_gain{part}"] for part in ("", "_low", "_high")] == pytest.approx(
        [auc["value"], auc["low"], auc["high"]], abs=1e-12
    )
    assert [ours[f"log_loss_gain{part}"] for part in ("", "_low", "_high")] == pytest.approx(
        [-loss["value"], -loss["high"], -loss["low"]], abs=1e-12
    )


def test_of_many_rows_drawn_accounts_teach_the_trees_with_and_without_a_theme(
    training, fitted, later_rows, monkeypatch
):
    monkeypatch.setattr(room, "ABLATION_ROWS", 400)
    part = select_rows(training, rows_of_drawn_accounts(training, 400, SEED))
    assert 300 < part.converted.size <= 400
    kept = np.isin(training.account_id, part.account_id)
    assert np.array_equal(part.x, training.x[kept], equal_nan=True)
    assert np.array_equal(part.converted, training.converted[kept])
    x, rows = later_rows
    chances = {
        name: AS_IT_IS(ablated_log_odds(part, x, fitted, columns))
        for name, columns in {ALL_FEATURES: (), **columns_by_theme(FEATURES)}.items()
    }
    figures = {
        name: compute_metrics(
            rows["converted"].to_numpy(), chance, rows["as_of"].to_numpy(),
            touched_per_snapshot=TOUCHED,
        )
        for name, chance in chances.items()
    }  # fmt: skip
    ablated = run(training, fitted, later_rows).set_index("theme")
    for theme in columns_by_theme(FEATURES):
        without, whole = figures[theme], figures[ALL_FEATURES]
        assert ablated.loc[theme, "roc_auc"] == pytest.approx(without["roc_auc"], abs=1e-12)
        gain = whole["roc_auc"] - without["roc_auc"]
        assert ablated.loc[theme, "roc_auc_gain"] == pytest.approx(gain, abs=1e-12)


def test_one_outcome_alone_gives_no_figures(training, fitted, later_rows):
    rows = later_rows[1].assign(converted=False)
    frame = run(training, fitted, later_rows, rows)
    assert frame.drop(columns=["theme", "features"]).isna().all().all()


def printed(table):
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


def test_the_table_fits_eighty_columns_and_begins_with_the_theme_that_helps_most(ablated):
    worse = {f"{figure}_gain{end}": -0.1 for figure in ("roc_auc", "log_loss") for end in ENDS}
    assert "…" not in printed(ablation_table(ablated.reset_index().assign(**worse)))
    text = printed(ablation_table(ablated.reset_index()))
    assert "…" not in text
    order = [
        name for line in text.splitlines() for name in ablated.index if line.split()[:1] == [name]
    ]
    assert order == ablated["roc_auc_gain"].sort_values(ascending=False).index.tolist()


def test_a_figure_that_could_not_be_measured_is_a_dash_and_no_metric(ablated):
    empty = ablated.reset_index().assign(roc_auc=np.nan, roc_auc_gain=np.nan)
    assert " - " in printed(ablation_table(empty))
    logged = ablation_metrics(empty)
    assert "ablation.roles.log_loss_gain" in logged
    assert "ablation.roles.roc_auc_gain" not in logged


def test_metrics_carry_the_gain_of_every_theme_in_names_that_mlflow_takes(ablated):
    logged = ablation_metrics(ablated.reset_index().replace({"theme": {"fit": "sales touch"}}))
    assert logged["ablation.engagement.roc_auc_gain"] == ablated.loc["engagement", "roc_auc_gain"]
    assert "ablation.sales_touch.log_loss_gain_low" in logged
    assert "ablation.roles_and_completeness.roc_auc_gain_high" in logged
    assert ablation_metrics(None) == {}
