import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mqbg.train.evaluate.segments import evaluate_by_month as judged_by_month
from mqbg.train.report.charts import (
    plot_decision_curve,
    plot_gains,
    plot_lift,
    plot_months,
    plot_precision_recall,
    plot_reliability,
)

SEED = 13


def scored(rows=600):
    draws = np.random.default_rng(SEED)
    probability = draws.beta(1, 8, rows)
    frame = pd.DataFrame(
        {
            "group_id": [f"g{number}" for number in range(rows)],
            "account_id": [f"a{number}" for number in draws.integers(rows // 3, size=rows)],
            "as_of": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(30 * draws.integers(3, size=rows), unit="D"),
            "converted": draws.random(rows) < probability,
        }
    )
    others = {"points 75/25": draws.random(rows).round(1), "base rate": np.full(rows, 0.1)}
    return frame, {"mqbg": probability} | others


def pictures(rows, probabilities):
    yield plot_reliability(rows, probabilities)
    yield plot_lift(rows, probabilities, touched_per_snapshot=20)
    yield plot_precision_recall(rows, probabilities)
    yield plot_gains(rows, probabilities)
    yield plot_decision_curve(rows, probabilities)


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


@pytest.mark.slow
@pytest.mark.parametrize("converted", [True, False])
def test_pictures_of_one_outcome_and_of_one_row_are_drawn(converted):
    rows, probabilities = scored(rows=40)
    for count in (1, 40):
        few = {name: values[:count] for name, values in probabilities.items()}
        for figure in pictures(rows.assign(converted=converted).head(count), few):
            drawn = io.BytesIO()
            figure.savefig(drawn, format="png")
            assert drawn.getvalue().startswith(b"\x89PNG")


def month_by_month(rows, probabilities):
    return judged_by_month(
        rows, probabilities["mqbg"], touched_per_snapshot=5, resamples=20, seed=SEED
    )


@pytest.mark.parametrize("count", [1, 3, 600])
def test_months_are_drawn_also_where_they_are_too_small_to_judge(count):
    rows, probabilities = scored()
    few = {name: values[:count] for name, values in probabilities.items()}
    figure = plot_months(month_by_month(rows.head(count), few))
    written = io.BytesIO()
    figure.savefig(written, format="png")
    assert written.getvalue().startswith(b"\x89PNG")
    assert [axes.get_ylabel() for axes in figure.axes] == ["share that converts", "ROC AUC"]


def test_no_month_at_all_is_refused():
    rows, probabilities = scored()
    judged = month_by_month(rows, probabilities)
    with pytest.raises(ValueError, match="at least one cut-off, got none"):
        plot_months(judged.head(0))


def test_the_model_alone_has_whiskers_in_the_reliability():
    rows, probabilities = scored()
    upper = plot_reliability(rows, probabilities).axes[0]
    assert len(upper.collections) == 1
    (segments,) = [whiskers.get_segments() for whiskers in upper.collections]
    assert len(segments) == 15
