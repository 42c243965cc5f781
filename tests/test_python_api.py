"""`import mqbg`, as a notebook uses it."""

from __future__ import annotations

import importlib
import inspect
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import mqbg
import numpy as np
import pandas as pd
import pytest
from mqbg.model import data_fit
from mqbg.model.bundle_files import save_bundle

AS_OF = "2025-07-01"


@pytest.fixture(scope="module")
def source(simulated, small_settings):
    with mqbg.open_source(simulated(200, 13), config=small_settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def model(slim_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_bundle(slim_model[1], folder)
    return mqbg.load_model(folder)


@pytest.fixture(scope="module")
def scored(source, model):
    return mqbg.score(source, model, as_of=AS_OF)


def test_every_public_name_is_there_and_documented():
    for name in mqbg.__all__:
        found = getattr(mqbg, name)
        assert name == "__version__" or inspect.getdoc(found), name
        if inspect.isclass(found):
            methods = [m for n, m in vars(found).items() if not n.startswith("_")]
            assert all(inspect.getdoc(m) for m in methods if callable(m)), name


@pytest.mark.parametrize(
    "name", ["explain", *(pytest.param(n, marks=pytest.mark.slow) for n in ("features", "train"))]
)
def test_importing_the_room_of_a_function_s_name_leaves_the_function_in_place(name):
    code = (
        f"import mqbg, mqbg.{name}; from mqbg.{name} import __doc__; assert callable(mqbg.{name})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_imports_no_engine():
    code = "import mqbg, sys; print({'ibis', 'pandas', 'lightgbm', 'mlflow'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_the_features_for_a_model_are_its_own_columns_and_score_as_it_scores(source, model, scored):
    table = mqbg.features(source, as_of=AS_OF, model=model)
    assert list(table.columns) == ["group_id", "as_of", *model.feature_names]
    import pyarrow as pa

    readiness = model.bundle.readiness(model.bundle.log_odds(pa.Table.from_pandas(table)))
    expected = scored.scores.set_index("group_id").readiness[table.group_id]
    assert np.allclose(readiness, expected, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_the_features_for_a_model_that_hardly_knows_the_data_are_refused_unless_forced(
    source, model, monkeypatch
):
    misfit = data_fit.DataFit(refusal="expected names that the model knows")
    monkeypatch.setattr(data_fit, "data_fit", lambda *_given: misfit)
    with pytest.raises(mqbg.BadInput, match="features: expected names that the model knows"):
        mqbg.features(source, as_of=AS_OF, model=model)
    assert len(mqbg.features(source, as_of=AS_OF, model=model, force=True))
    assert len(mqbg.features(source, as_of=AS_OF))  # of the source itself: nothing to compare with


def test_the_features_of_a_source_are_one_row_for_each_open_group(source, scored):
    table = mqbg.features(source, as_of=AS_OF)
    assert sorted(table.group_id) == sorted(scored.scores.group_id)
    assert set(table.as_of) == {pd.Timestamp(AS_OF)}


def test_scores_have_every_table_and_their_contributions_sum(scored):
    total = scored.stakeholders.groupby("group_id").contribution.sum()
    scores = scored.scores.set_index("group_id")
    summed = scores.base_log_odds + total.reindex(scores.index, fill_value=0)
    assert np.allclose(summed, scores.log_odds, rtol=0, atol=1e-6)
    assert set(scored.summaries.group_id) == set(scores.index)


def test_a_story_is_the_group_s_rows_and_shows_itself_in_text_and_html(source, model, scored):
    group_id = scored.stakeholders.group_id.iloc[0]
    story = mqbg.explain(source, model, group_id, as_of=AS_OF, language="ja")
    assert str(story) == story.text
    assert all(line in story.text for line in story.summary)
    members = scored.stakeholders[scored.stakeholders.group_id == group_id]
    assert sorted(story.stakeholders.contact_id) == sorted(members.contact_id)
    shown = story._repr_html_()
    assert all(contact in shown for contact in members.contact_id)
    assert "見込み" in story.text


def test_names_from_the_data_are_no_markup_in_html(source, model, scored):
    story = mqbg.explain(source, model, scored.scores.group_id.iloc[0], as_of=AS_OF)
    hostile = type(story)(
        **{**vars(story), "summary": ("<script>x</script>",), "reasons": ("<b>",)}
    )
    assert "<script>" not in hostile._repr_html_()
    assert "<b>" not in hostile._repr_html_()


@pytest.mark.parametrize("as_of", ["soon", "1812-06-24", 7])
def test_what_is_no_instant_is_refused(source, as_of):
    with pytest.raises(mqbg.BadInput, match=r"expected a date or time"):
        mqbg.features(source, as_of=as_of)


def test_an_unknown_group_is_refused_with_some_there_are(source, model):
    with pytest.raises(mqbg.BadInput, match="G000"):
        mqbg.explain(source, model, "nobody", as_of=AS_OF)


def test_a_folder_that_breaks_the_contract_is_refused(tmp_path):
    with pytest.raises(mqbg.BadInput, match="expected the tables accounts"):
        mqbg.open_source(tmp_path)


def test_a_folder_without_a_bundle_is_refused(tmp_path):
    with pytest.raises(mqbg.BadInput, match="bundle"):
        mqbg.load_model(tmp_path)


@pytest.mark.slow
def test_a_training_has_figures_and_becomes_a_version_when_logged(
    source, small_training, empty_mlflow, tmp_path, monkeypatch
):
    """What `mqbg.train` gets from the training itself, tests/train tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    asked = []

    def train(prepared, **options):
        asked.append((prepared.settings, options))
        return small_training

    monkeypatch.setattr(importlib.import_module("mqbg.train.training"), "train", train)
    trained = mqbg.train(source, test_from=AS_OF)
    assert asked == [(source.settings, {"test_from": datetime(2025, 7, 1), "trials": 0})]
    assert not Path("mlruns").exists()
    assert trained.comparison.loc[("all accounts", "mqbg"), "roc_auc"] > 0.5
    Path("mlruns").mkdir()
    shutil.copy(empty_mlflow, "mlruns")
    assert trained.log() == "1"
    registered = mqbg.load_model("champion").bundle
    assert registered == replace(trained.model.bundle, settings=registered.settings)
