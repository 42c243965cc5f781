import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mqbg.train.evaluation import measure
from mqbg.train.figures import (
    lift,
    lift_data,
    precision_recall,
    precision_recall_data,
    reliability,
    reliability_data,
)

SEED = 13


def scored(rows=600):
    draws = np.random.default_rng(SEED)
    probability = draws.beta(1, 8, rows)
    frame = pd.DataFrame(
        {
            "as_of": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(30 * draws.integers(3, size=rows), unit="D"),
            "converted": draws.random(rows) < probability,
        }
    )
    others = {"points 75/25": draws.random(rows).round(1), "base rate": np.full(rows, 0.1)}
    return frame, {"mqbg": probability} | others


def pictures(rows, probabilities):
    yield reliability(rows, probabilities)
    yield lift(rows, probabilities, touched_per_snapshot=20)
    yield precision_recall(rows, probabilities)


def test_pictures_are_figures_that_can_be_saved():
    for figure in pictures(*scored()):
        assert isinstance(figure, Figure)
        written = io.BytesIO()
        figure.savefig(written, format="png")
        assert written.getvalue().startswith(b"\x89PNG")


def test_pictures_name_every_method_the_model_first_and_label_their_axes():
    for figure in pictures(*scored()):
        named = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert named[0] == "mqbg"
        assert {"points 75/25", "base rate"} < set(named)
        assert figure.axes[-1].get_xlabel()
        assert all(axes.get_ylabel() for axes in figure.axes)


@pytest.mark.parametrize("converted", [True, False])
def test_pictures_of_one_outcome_and_of_one_row_are_drawn(converted):
    rows, probabilities = scored(rows=40)
    for count in (1, 40):
        few = {name: values[:count] for name, values in probabilities.items()}
        for figure in pictures(rows.assign(converted=converted).head(count), few):
            drawn = io.BytesIO()
            figure.savefig(drawn, format="png")
            assert drawn.getvalue().startswith(b"\x89PNG")


def test_reliability_shows_each_bins_mean_share_and_rows():
    rows = pd.DataFrame({"converted": [False, False, True, True, False, True]})
    probability = np.array([0.1, 0.2, 0.3, 0.6, 0.8, 0.9])
    got = reliability_data(rows, {"mqbg": probability}, bins=2)
    assert got["predicted"].tolist() == pytest.approx([0.2, 2.3 / 3])
    assert got["observed"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert got["rows"].tolist() == [3, 3]


def test_reliability_counts_every_row_once_and_adds_up_to_the_calibration_error():
    rows, probabilities = scored()
    data = reliability_data(rows, probabilities)
    for method, part in data.groupby("method"):
        assert part["rows"].sum() == len(rows)
        gap = (part["rows"] * (part["predicted"] - part["observed"]).abs()).sum() / len(rows)
        expected = measure(
            rows["converted"].to_numpy(),
            probabilities[method],
            rows["as_of"].to_numpy(),
            touched_per_snapshot=1,
        )
        assert gap == pytest.approx(expected["ece"])


def test_lift_and_recall_are_those_of_the_evaluation():
    rows, probabilities = scored()
    for row in lift_data(rows, probabilities).iloc[::7].itertuples():
        expected = measure(
            rows["converted"].to_numpy(),
            probabilities[row.method],
            rows["as_of"].to_numpy(),
            touched_per_snapshot=row.touched_per_snapshot,
        )
        assert row.lift == pytest.approx(expected["lift_at_capacity"])
        assert row.recall == pytest.approx(expected["recall_at_capacity"])


def test_precision_and_recall_are_those_of_each_threshold():
    rows, probabilities = scored()
    converted = rows["converted"].to_numpy()
    for row in precision_recall_data(rows, probabilities).iloc[::7].itertuples():
        let_through = probabilities[row.method] >= row.threshold
        assert row.precision == pytest.approx(converted[let_through].mean())
        assert row.recall == pytest.approx(converted[let_through].sum() / converted.sum())


def test_precision_and_recall_run_from_everyone_to_the_strictest():
    rows, probabilities = scored()
    for _, part in precision_recall_data(rows, probabilities).groupby("method", sort=False):
        assert part["recall"].iloc[0] == 1.0
        assert (np.diff(part["recall"]) < 0).all()
        assert len(part) <= 200


@pytest.mark.parametrize("data", [reliability_data, lift_data, precision_recall_data])
def test_rows_that_cannot_be_drawn_are_refused(data):
    rows, probabilities = scored(rows=20)
    with pytest.raises(ValueError, match="missing: "):
        data(rows.drop(columns="converted"), probabilities)
    with pytest.raises(ValueError, match="got 0 rows"):
        data(rows.head(0), {"mqbg": np.zeros(0)})
    with pytest.raises(ValueError, match="and 0 methods"):
        data(rows, {})
    with pytest.raises(ValueError, match="one probability per row"):
        data(rows, {"mqbg": np.zeros(3)})
