from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from mqbg.train.report.mlflow_versions import LoggedTraining
from mqbg.train.report.paired_differences import PairedComparison
from mqbg.train.report.version_comparison import (
    METRIC_HEADINGS,
    comparison_notes,
    differences_table,
    feature_sentence,
    figures_json,
    figures_table,
    trainings_table,
)
from rich.console import Console

FIGURES = pd.DataFrame(
    {"value": 0.8123, "low": 0.7, "high": 0.9, "rows": 1234.0, "conversions": 9.0, "accounts": 8.0},
    index=list(METRIC_HEADINGS),
)


def training(version, features=("a",), figures=FIGURES, champion=False, **parameters):
    return LoggedTraining(
        f"r{version}",
        str(version),
        champion,
        datetime(2024, 5, 1, 9, 30),
        {"test_from": "2024-01-01", "test_to": "2024-02-01", **parameters},
        {"data": "world"},
        figures,
        features,
    )


def drawn(table, width=80):
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_every_figure_fits_into_eighty_columns_with_its_interval():
    pairs = [PairedComparison(training(12), training(3), "", FIGURES, 12_345, 678, 90)]
    for table in (figures_table([training(12)]), differences_table(pairs)):
        text = drawn(table)
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
    assert drawn(figures_table([training(12)])).count("0.700 to") == len(METRIC_HEADINGS)


def test_a_figure_that_was_not_measured_is_a_dash():
    empty = training(1, figures=pd.DataFrame())
    unmeasured = training(2, figures=FIGURES.assign(value=np.nan))
    for one in (empty, unmeasured):
        assert "nan" not in drawn(figures_table([one]))
    assert "-" in drawn(trainings_table([empty]), 140)


def test_other_test_parts_are_said_to_compare_in_nothing():
    one, other = training(1), training(2, test_from="2024-03-01")
    said = " ".join(drawn(figures_table([one, other])).split())
    assert "the parts differ, so only the paired differences compare" in said
    assert "only the paired" not in drawn(figures_table([one, one]), 140)


def test_without_a_pair_that_compares_there_is_no_table():
    pairs = [PairedComparison(training(2), training(1), "they are of other data")]
    assert differences_table(pairs) is None
    assert comparison_notes(pairs) == [
        "Version 2 and version 1 cannot be compared: they are of other data."
    ]


def test_long_lists_of_features_are_counted_and_begun():
    ours = training(2, features=("a", *"bcdefgh"))
    assert feature_sentence(PairedComparison(ours, training(1))) == (
        "Features: version 2 reads 7 that version 1 does not (b, c, d, e, f and 2 more)."
    )


def test_the_same_features_need_no_word():
    assert (
        feature_sentence(PairedComparison(training(2, ("b", "a")), training(1, ("a", "b")))) == ""
    )


@pytest.mark.parametrize(("ours", "theirs", "silent"), [((), ("a",), 2), (("a",), (), 1)])
def test_unknown_features_are_said_and_not_called_other(ours, theirs, silent):
    said = feature_sentence(PairedComparison(training(2, ours), training(1, theirs)))
    assert said == f"The run of version {silent} does not say which features it reads."


def test_figures_are_strict_json():
    tree = figures_json(FIGURES.assign(low=np.nan, high=np.inf))
    assert tree["roc_auc"]["low"] is None
    assert tree["roc_auc"]["high"] is None
    assert json.loads(json.dumps(tree, allow_nan=False))["roc_auc"]["value"] == 0.8123
