from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest
from mqbg.contract import BadInput
from mqbg.train.report.mlflow_versions import (
    LoggedTraining,
    choose_reference,
    read_test_rows,
    read_trainings,
)

GOOD = pd.DataFrame(
    {
        "group_id": ["g1", "g1", "g2"],
        "as_of": pd.to_datetime(["2024-05-01", "2024-06-01", "2024-05-01"]),
        "account_id": ["a1", "a1", "a2"],
        "converted": [True, False, False],
        "seen": [True, True, False],
        "readiness": [0.5, 0.0, 1.0],
    }
)
TRAINING = LoggedTraining("r1", "1", False, datetime(2024, 1, 1))


class Runs:
    """What we ask of MLflow, over folders: one per run, its artifacts in it."""

    def __init__(self, folder):
        self.folder = folder
        self.artifacts = self
        self.versions, self.runs, self.champion = [], {}, None

    def add(self, run_id, start, version=None, **tags):
        (self.folder / run_id).mkdir()
        self.runs[run_id] = SimpleNamespace(
            info=SimpleNamespace(run_id=run_id, start_time=start),
            data=SimpleNamespace(params={}, tags={"verdict": "fine", **tags}),
        )
        if version is not None:
            found = SimpleNamespace(version=version, run_id=run_id, creation_timestamp=start + 1)
            self.versions.append(found)
        return self.folder / run_id

    def list_artifacts(self, run_id):
        there = self.folder / run_id
        return [SimpleNamespace(path=path.name) for path in there.glob("*")]

    def download_artifacts(self, *, run_id, artifact_path, dst_path):
        return shutil.copy(self.folder / run_id / artifact_path, dst_path)

    def search_registered_models(self, _filter):
        aliases = {"champion": self.champion} if self.champion else {}
        return [SimpleNamespace(aliases=aliases, tags={})]

    def search_model_versions(self, _filter):
        return self.versions

    def get_experiment_by_name(self, _name):
        return SimpleNamespace(experiment_id="1")

    def search_runs(self, _experiments, _filter, page_token):
        """One run a page, so that whoever forgets the next page loses runs."""
        place = int(page_token or 0)
        page = _Page(list(self.runs.values())[place : place + 1])
        page.token = str(place + 1) if place + 1 < len(self.runs) else None
        return page

    def get_run(self, run_id):
        return self.runs[run_id]


class _Page(list):
    token = None


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def names(runs, **options):
    return [one.name for one in read_trainings(runs, runs, "mqbg", **options)]


def test_the_latest_training_comes_first(runs):
    runs.add("run-late", 3_000)
    runs.add("run-early", 1_000, 1)
    runs.add("run-middle", 2_000, 2)
    assert names(runs) == ["run run-late", "version 2", "version 1"]


def test_a_training_begins_when_its_run_began(runs):
    runs.add("r1", 1_714_554_000_000, 1)
    [training] = read_trainings(runs, runs, "mqbg")
    assert training.trained_at == datetime(2024, 5, 1, 9, tzinfo=UTC)


def test_the_champion_is_shown_beyond_the_limit(runs):
    for number in range(1, 6):
        runs.add(f"r{number}", number, number)
    runs.champion = "2"
    assert names(runs, limit=2) == ["version 5", "version 2"]
    assert names(runs, limit=4) == ["version 5", "version 4", "version 3", "version 2"]
    assert len(names(runs, limit=None)) == 5


def test_children_of_runs_are_left_out(runs):
    runs.add("parent", 1)
    runs.add("child", 2, **{"mlflow.parentRunId": "parent"})
    assert names(runs) == ["run parent"]


def test_figures_are_the_models_on_all_accounts(runs):
    folder = runs.add("r1", 1, 1)
    sizes = {"figure": "roc_auc", "low": 0.1, "high": 0.9, "rows": 9, "conversions": 3}
    rows = [
        {"population": "all accounts", "method": "mqbg", "value": 0.7},
        {"population": "all accounts", "method": "base rate", "value": 0.5},
        {"population": "unseen accounts", "method": "mqbg", "value": 0.6},
    ]
    frame = pd.DataFrame([{**row, **sizes, "accounts": 4} for row in rows])
    frame.to_csv(folder / "figures.csv", index=False)
    [training] = read_trainings(runs, runs, "mqbg")
    assert training.figures.loc["roc_auc", "value"] == 0.7
    assert len(training.figures) == 1


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_figures_that_cannot_be_read_are_none(runs, content):
    (runs.add("r1", 1, 1) / "figures.csv").write_bytes(content)
    [training] = read_trainings(runs, runs, "mqbg")
    assert training.figures.empty


@pytest.mark.parametrize(
    ("content", "features"),
    [
        (json.dumps({"features": [{"name": "b"}, {"name": "a"}]}), ("b", "a")),
        ("{}", ()),
        ("[1]", ()),
        ("{half", ()),
        ('{"features": ["a"]}', ()),
    ],
)
def test_features_are_named_in_their_order_or_not_known(runs, content, features):
    (runs.add("r1", 1, 1) / "features.json").write_text(content)
    [training] = read_trainings(runs, runs, "mqbg")
    assert training.features == features


def rows_of(runs, frame):
    frame.to_parquet(runs.add("r1", 1) / "test_rows.parquet")
    return read_test_rows(runs, runs, TRAINING)


def test_rows_come_back_as_they_were_logged(runs):
    found = rows_of(runs, GOOD)
    assert found is not None
    assert found[["group_id", "converted", "readiness"]].equals(
        GOOD[["group_id", "converted", "readiness"]]
    )
    assert found["as_of"].tolist() == GOOD["as_of"].tolist()


def test_instants_of_another_zone_or_unit_become_utc(runs):
    tokyo = GOOD["as_of"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo").dt.as_unit("ms")
    found = rows_of(runs, GOOD.assign(as_of=tokyo))
    assert found is not None
    assert found["as_of"].tolist() == GOOD["as_of"].tolist()
    assert found["as_of"].dtype == "datetime64[us]"


@pytest.mark.parametrize(
    "frame",
    [
        GOOD.drop(columns="readiness"),
        GOOD.assign(readiness=[0.5, None, 1.0]),
        GOOD.assign(readiness=[0.5, 1.5, 1.0]),
        GOOD.assign(converted=[1, 0, 0]),
        GOOD.assign(group_id=None),
        pd.concat([GOOD, GOOD.head(1)]),
    ],
    ids=["column gone", "null", "no chance", "no bool", "no id", "twice"],
)
def test_rows_that_are_not_what_they_should_be_are_none(runs, frame):
    assert rows_of(runs, frame) is None


def test_a_damaged_file_is_no_rows(runs):
    file = runs.add("r1", 1) / "test_rows.parquet"
    GOOD.to_parquet(file)
    assert pq.read_table(file).num_rows == 3
    file.write_bytes(file.read_bytes()[:-40])
    assert read_test_rows(runs, runs, TRAINING) is None


def test_a_run_without_the_file_has_no_rows(runs):
    runs.add("r1", 1)
    assert read_test_rows(runs, runs, TRAINING) is None


def some(version, champion=False):
    return LoggedTraining(f"r{version}", version, champion, datetime(2024, 1, 1))


def test_the_others_are_held_against_the_named_then_the_champion_then_the_latest():
    three, two, one = some("3"), some("2", champion=True), some("1")
    assert choose_reference([three, two, one], "1") is one
    assert choose_reference([three, two, one], None) is two
    assert choose_reference([three, one], None) is three


def test_runs_without_version_are_not_the_one_that_was_not_named():
    run, two = LoggedTraining("r9", None, False, datetime(2024, 1, 1)), some("2", champion=True)
    assert choose_reference([run, two], None) is two


def test_no_training_is_bad_input():
    with pytest.raises(BadInput, match="mqbg train"):
        choose_reference([], None)
