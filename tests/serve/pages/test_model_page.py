"""The model's page: figures, curves, thresholds, versions."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
from made_report import EVIL, Page, figures, model, record, two_groups, written
from mqbg.explain.language import load_language
from mqbg.serve.pages import TrainingRecord, training_record

LABELS = load_language("en").word_tables["labels"]


def model_page(tmp_path, source, **given) -> Page:
    written(two_groups(), source, tmp_path / "out", **given)
    return Page(tmp_path / "out" / "model.html")


def test_the_model_s_page_says_what_it_learned_from_and_how_good_it_is(source, tmp_path):
    written(two_groups(), source, tmp_path / "out", figures=figures())
    texts = Page(tmp_path / "out" / "model.html").texts
    assert {"1,234", "56", "(4.5%)", "cafe", "20.0%", "3.2", "0.810", "(0.790 to 0.830)"} <= set(
        texts
    )
    assert "all accounts: 1,000 snapshots, 90 conversions, 200 accounts" in texts
    names = set(model().catalogue.feature_names)
    assert names <= set(texts)
    # One outcome only: the figure is a dash, not a NaN.
    assert "–" in texts
    assert not any("nan" in re.findall(r"\w+", text) for text in texts)


def test_without_figures_the_model_s_page_says_where_they_are(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    texts = Page(tmp_path / "out" / "model.html").texts
    assert load_language("en").word_tables["labels"]["no_figures"] in texts


def test_curves_and_thresholds_are_drawn_and_stand_beside_as_tables(source, tmp_path):
    page = model_page(tmp_path, source, record=record())
    assert page.source.count('<svg class="chart"') == 2 + 3
    assert {LABELS[name] for name in ("reliability", "lift", "lines")} <= set(page.texts)
    assert {"40.0%", "45.0%", "30.0% to 60.0%", "9.0", "9.0 (8.0 to 10.0)"} <= set(page.texts)
    assert "10% (– to –)" in page.texts  # a share without an interval


def test_places_in_pictures_are_numbers_within_their_box(source, tmp_path):
    page = model_page(tmp_path, source, record=record())
    paths = [str(a["d"]) for tag, a in page.tags if tag == "path"]
    numbers = [float(text) for path in paths for text in re.findall(r"[-\d.]+|nan", path)]
    assert numbers
    assert all(0 <= number <= 100 for number in numbers)


def test_methods_are_told_by_their_names_beside_the_lines(source, tmp_path):
    texts = model_page(tmp_path, source, record=record()).texts
    assert texts.count(LABELS["random"]) == texts.count(LABELS["perfect"]) == 1
    assert sum(EVIL in text for text in texts) >= 4  # two legends, who moved and why


def test_the_threshold_of_the_scores_is_marked_in_each_picture_of_thresholds(source, tmp_path):
    page = model_page(tmp_path, source, record=record())
    marks = re.findall(r'<line class="limit" x1="([\d.]+)%"', page.source)
    assert marks == ["25"] * 3 or marks == ["25.0"] * 3  # 0.2 of an axis that ends at 0.8


def test_versions_and_the_champion_s_moves_are_listed(source, tmp_path):
    texts = model_page(tmp_path, source, record=record()).texts
    assert {"champion", "made these scores", "rolled back", "against the gate"} <= set(texts)
    assert "2 → 3" in texts


def test_figures_come_from_the_record_unless_they_are_given(source, tmp_path):
    kept = record()
    assert "0.810" in model_page(tmp_path, source, record=kept).texts
    other = figures().assign(value=0.123)
    assert "0.810" not in model_page(tmp_path, source, record=kept, figures=other).texts


def test_a_record_of_an_older_release_has_a_page_without_curves(source, tmp_path):
    texts = model_page(tmp_path, source, record=TrainingRecord(versions=record().versions)).texts
    assert LABELS["no_curves"] in texts
    assert LABELS["no_figures"] in texts
    empty = replace(record(), lift=pd.DataFrame(columns=record().lift.columns))
    assert LABELS["lift"] not in model_page(tmp_path, source, record=empty).texts


def test_a_store_that_is_not_there_leaves_the_record_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert training_record("mqbg", "1") is None
    assert not list(tmp_path.iterdir())


def test_without_a_record_the_page_says_what_is_missing(source, tmp_path):
    assert LABELS["no_record"] in model_page(tmp_path, source).texts
