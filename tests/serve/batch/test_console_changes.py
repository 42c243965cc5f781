"""What changed since an earlier cut-off, as the terminal shows it."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime

import pytest
from mqbg.explain.language import load_language
from mqbg.features.tables.feature_table import feature_table
from mqbg.model.registry import RegisteredBundle
from mqbg.serve.batch import console_changes as sheet_since
from mqbg.serve.batch.console_changes import change_report
from mqbg.serve.batch.scoring_job import ScoringJob
from rich.console import Console

SINCE, AS_OF = datetime(2025, 5, 1), datetime(2025, 7, 1, 9, 30)


@pytest.fixture(scope="module")
def groups(slim_model):
    """Some groups that are open at both cut-offs."""
    source, bundle = slim_model
    then, now = (
        feature_table(source, bundle.catalogue, [at])["group_id"].to_pylist()
        for at in (SINCE, AS_OF)
    )
    return sorted(set(then) & set(now))[:2]


@pytest.fixture
def sheet(slim_model):
    """`sheet(group_id, version, language)`: the text of the sheet."""
    source, bundle = slim_model

    def text(group_id, version=None, language="en"):
        registered = RegisteredBundle(bundle, "mqbg", "2", "run")
        job = ScoringJob(source, registered, load_language(language), lambda *_: None)
        console = Console(file=io.StringIO(), width=200)
        for part in change_report(job, group_id, SINCE, AS_OF, version):
            console.print(part, highlight=False)
        return console.file.getvalue()

    return text


def amounts(text):
    """Log-odds of the table's rows."""
    return [float(found) for found in re.findall(r"([+-]\d+\.\d{3}) ", text)]


@pytest.mark.slow
@pytest.mark.parametrize(("language", "time"), [("en", "Time alone"), ("ja", "時間の経過")])
def test_the_rows_lead_from_one_score_to_the_other(sheet, groups, language, time):
    for group_id in groups:
        text = sheet(group_id, language=language)
        assert time in text
        start, *parts, end = amounts(text)
        assert start + sum(parts) == pytest.approx(end, abs=0.0005 * (len(parts) + 2))


@pytest.mark.slow
def test_people_are_called_by_their_names(sheet, slim_model, groups):
    contacts = slim_model[0].contract_tables["contacts"].to_pyarrow().to_pylist()
    names = [row["full_name"] for row in contacts if row["full_name"]]
    assert any(f"New activity: {name}" in sheet(group) for group in groups for name in names)


def test_a_time_of_day_is_said_where_there_is_one(sheet, groups):
    text = sheet(groups[0])
    assert "Score on May 1, 2025 " in text
    assert "Score on July 1, 2025 09:30" in text


@pytest.mark.slow
def test_the_model_is_a_row_only_where_it_is_another(sheet, slim_model, groups, monkeypatch):
    bundle = slim_model[1]
    older = replace(bundle, trees=bundle.booster.model_to_string(num_iteration=5))
    stored = {
        "1": RegisteredBundle(older, "mqbg", "1", "run"),
        "2": RegisteredBundle(bundle, "mqbg", "2", "r"),
    }
    monkeypatch.setattr(
        sheet_since, "load_registered_bundle", lambda _name, version: stored[version]
    )
    same, other = sheet(groups[0], "2"), sheet(groups[0], "1")
    assert same == sheet(groups[0])
    assert "Model: version" not in same
    assert "Model: version 2 in place of 1" in other
    start, *parts, end = amounts(other)
    assert start != amounts(same)[0]
    assert end == amounts(same)[-1]
    assert start + sum(parts) == pytest.approx(end, abs=0.0005 * (len(parts) + 2))
