"""compare, promote and rollback on a real store whose runs are made by hand: nothing is trained."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from mqbg.commands.versions import compare, new_move, promote, rollback
from mqbg.contract import BadInput
from mqbg.model import registry
from mqbg.model.registry import champion_history, champion_version, connect_mlflow
from mqbg.train.evaluate.comparison import evaluate

NAME = "mqbg"
PARAMETERS = {
    "target.stage": "opportunity",
    "target.horizon_days": "90",
    "touched_per_snapshot": "20",
    "test_from": "2024-05-01",
    "test_to": "2024-06-01",
}
TAGS = {"data": "world", "data_fingerprint": "f1", "signal": "found", "verdict": "adds much"}


def world(noise, first=0, groups=400):
    """Chances that are right, made worse by noise in the log-odds; groups are numbered."""
    draw = np.random.default_rng(11)
    odds = draw.normal(-2.0, 1.5, 2000)
    converted = draw.uniform(size=2000) < 1 / (1 + np.exp(-odds))
    noisy = odds + np.random.default_rng(12).normal(0, noise, 2000)
    numbers = np.arange(first, first + groups)
    return pd.DataFrame(
        {
            "group_id": [f"g{n}" for n in numbers],
            "account_id": [f"a{n // 2}" for n in numbers],
            "as_of": pd.Timestamp(2024, 5, 1),
            "converted": converted[numbers],
            "seen": False,
            "completeness": 0.5,
            "readiness": 1 / (1 + np.exp(-noisy[numbers])),
        }
    )


@dataclass
class Ran:
    status: int
    out: str
    err: str


class Store:
    """A store to which trainings are added; what was added needs no further care."""

    def __init__(self, folder):
        self.folder = folder
        self.mlflow = connect_mlflow()
        self.client = self.mlflow.MlflowClient()

    def add(
        self, rows=None, features=("a", "b"), bundle="good", registered=True, tags=(), **parameters
    ):
        """The number of the version, or the id of the run."""
        experiment = self.client.get_experiment_by_name(NAME)
        run = self.client.create_run(
            experiment.experiment_id, tags={**TAGS, **dict(tags)}, start_time=self._next_start()
        )
        run_id = run.info.run_id
        for key, value in {**PARAMETERS, **parameters}.items():
            self.client.log_param(run_id, key, value)
        listed = {"features": [{"name": name} for name in features]}
        self.client.log_dict(run_id, listed, "features.json")
        if rows is not None:
            self._log_rows(run_id, rows)
        self.client.set_terminated(run_id)
        return self._register(run_id, bundle) if registered else run_id

    def _next_start(self):
        """A day after the run before."""
        experiment = self.client.get_experiment_by_name(NAME)
        runs = self.client.search_runs([experiment.experiment_id])
        return int(datetime(2024, 1, 1 + len(runs), tzinfo=UTC).timestamp() * 1000)

    def _log_rows(self, run_id, rows):
        file = self.folder / "test_rows.parquet"
        rows.to_parquet(file)
        self.client.log_artifact(run_id, str(file))
        figures = evaluate(
            rows,
            {"mqbg": rows["readiness"].to_numpy()},
            touched_per_snapshot=20,
            resamples=5,
            seed=1,
        )
        self.client.log_text(run_id, figures.to_csv(index=False), "figures.csv")

    def _register(self, run_id, bundle):
        for name, text in (("bundle.json", bundle), ("trees.txt", "tree")):
            self.client.log_text(run_id, text, f"model/data/bundle/{name}")
        source = self.client.get_run(run_id).info.artifact_uri + "/model"
        return str(self.client.create_model_version(NAME, source, run_id).version)

    def champion(self):
        return champion_version(self.client, NAME)

    def history(self):
        return champion_history(self.client, NAME)


@pytest.fixture(scope="module")
def empty_store(empty_mlflow, tmp_path_factory):
    """A store file with the experiment and the model, and nothing in them."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    shutil.copy(empty_mlflow, file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
        client = connect_mlflow().MlflowClient()
        client.create_experiment(NAME, (file.parent / "artifacts").as_uri())
        client.create_registered_model(NAME)
    return file


@pytest.fixture
def store(empty_store, tmp_path, monkeypatch):
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    genuine = registry.load_bundle

    def load(folder):
        """Bundles that say they are good need not be any; others meet the reader they deserve."""
        return None if (folder / "bundle.json").read_text() == "good" else genuine(folder)

    monkeypatch.setattr(registry, "load_bundle", load)
    return Store(tmp_path)


@pytest.fixture
def mqbg(monkeypatch, capfd, tmp_path):
    """Runs one of the commands in this process; bad input is what `cli.main` makes of it."""
    app = typer.Typer()
    for command in (compare, promote, rollback):
        app.command()(command)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        capfd.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                app(list(arguments))
            status, said = int(ended.value.code or 0), ""
        except BadInput as error:
            status, said = 2, str(error)
        captured = capfd.readouterr()
        return Ran(status, captured.out, captured.err + said)

    return run


def refused(ran, *words):
    assert ran.status == 2
    assert "\n" not in ran.err
    for word in words:
        assert word in ran.err


def test_the_first_champion_is_promoted_and_recorded(store, mqbg):
    version = store.add(world(0))
    ran = mqbg("promote", version, "--why", "最初の版", "--by", "佐藤")
    assert ran.status == 0
    assert "Version 1 is the champion now." in ran.out
    [recorded] = store.history()
    assert (recorded.version, recorded.previous) == ("1", None)
    assert (recorded.change.by, recorded.change.why) == ("佐藤", "最初の版")
    assert not recorded.change.forced


def test_a_better_challenger_takes_the_place_of_the_champion(store, mqbg):
    store.add(world(2))
    store.add(world(0))
    mqbg("promote", "1")
    ran = mqbg("promote", "latest")
    assert ran.status == 0
    assert "is not worse than the champion, version 1" in ran.out
    assert store.champion() == "2"
    figures = store.history()[-1].change.figures
    assert figures["against"] == "1"
    assert figures["log_loss"][2] < 0
    assert figures["rows"] == 400


def test_a_worse_challenger_is_refused_with_status_1(store, mqbg):
    store.add(world(0))
    store.add(world(2))
    mqbg("promote", "1", "--json", "first.json")
    ran = mqbg("promote", "2", "--json", "second.json")
    assert ran.status == 1
    first, second = (json.loads(Path(f"{one}.json").read_text()) for one in ("first", "second"))
    assert (first["champion"], first["previous"], first["promoted"]) == ("1", None, True)
    assert (second["champion"], second["promoted"]) == ("1", False)
    assert second["reason"] in ran.err
    assert "worse than the champion, version 1, in log loss" in ran.err
    assert "400 shared test rows of 200 accounts" in ran.err
    assert "Version 1 stays the champion" in ran.err
    assert ran.err.count("\n") == 1
    assert not ran.out
    assert store.champion() == "1"
    assert len(store.history()) == 1


def test_force_is_in_the_record(store, mqbg):
    store.add(world(0))
    store.add(world(2))
    mqbg("promote", "1")
    ran = mqbg("promote", "2", "--force", "--why", "the old one reads a field that is gone")
    assert ran.status == 0
    assert "The gate was against it" in ran.out
    assert store.champion() == "2"
    assert store.history()[-1].change.forced
    assert store.history()[-1].change.figures["worse"]


def test_force_that_was_not_needed_is_not_in_the_record(store, mqbg):
    store.add(world(0))
    mqbg("promote", "1", "--force")
    assert not store.history()[-1].change.forced


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": world(0, first=1000)}, "no test row of one"),
        ({"rows": None}, "version 2 has no test rows"),
        ({"rows": world(0).drop(columns="readiness")}, None),
        ({"rows": world(0), "target.horizon_days": "30"}, "within 30 days"),
        ({"rows": world(0, groups=6)}, "conversions, and the gate needs at least 5"),
    ],
)
def test_what_cannot_be_judged_is_refused(store, mqbg, changes, words):
    store.add(world(0))
    if words is None:
        store.add(None, **{k: v for k, v in changes.items() if k != "rows"})
        file = store.folder / "test_rows.parquet"
        changes["rows"].to_parquet(file)
        run_id = store.client.get_model_version(NAME, "2").run_id
        store.client.log_artifact(run_id, str(file))
    else:
        store.add(**changes)
    mqbg("promote", "1")
    ran = mqbg("promote", "2")
    assert ran.status == 1
    assert "cannot be judged against the champion, version 1" in ran.err
    assert (words or "version 2 has no test rows") in ran.err
    assert store.champion() == "1"
    assert mqbg("promote", "2", "--force").status == 0
    assert store.champion() == "2"


def test_no_signal_makes_no_first_champion(store, mqbg):
    store.add(world(0), tags={"signal": "none"})
    ran = mqbg("promote", "1")
    assert ran.status == 1
    assert "no signal" in ran.err
    assert "There still is no champion" in ran.err
    assert store.champion() is None
    assert store.history() == ()


@pytest.mark.slow
def test_other_features_are_no_obstacle(store, mqbg):
    store.add(world(1), features=("a", "b"))
    store.add(world(0), features=("b", "c", "d"))
    mqbg("promote", "1")
    ran = mqbg("promote", "2")
    assert ran.status == 0
    assert "version 2 reads 2 that version 1 does not (c, d)" in ran.out
    assert "version 1 reads 1 that version 2 does not (a)" in ran.out


def test_the_champion_is_not_promoted_again(store, mqbg):
    store.add(world(0))
    mqbg("promote", "1")
    ran = mqbg("promote", "latest")
    assert ran.status == 0
    assert "already" in ran.out
    assert len(store.history()) == 1


@pytest.mark.parametrize("version", ["7", "newest", "0"])
def test_an_unknown_version_is_bad_input(store, mqbg, version):
    store.add(world(0))
    for command in ("promote", "compare"):
        refused(mqbg(command, version), repr(version), "mqbg train")


@pytest.mark.parametrize(
    ("bundle", "words"),
    [("{}", "could not read it"), ('{"format": 99}', "update mqbg"), ("{half", "could not read")],
)
def test_a_bundle_that_cannot_be_read_is_bad_input_also_by_force(store, mqbg, bundle, words):
    store.add(world(0), bundle=bundle)
    refused(mqbg("promote", "1", "--force"), words)
    assert store.champion() is None


@pytest.mark.slow
def test_a_rollback_goes_back_one_further_each_time(store, mqbg):
    for _ in range(3):
        store.add(world(0))
    for version in ("1", "2", "3"):
        mqbg("promote", version)
    ran = mqbg("rollback", "--why", "too many alerts", "--by", "Ann", "--json", "back.json")
    assert ran.status == 0
    back = json.loads(Path("back.json").read_text())
    assert back == {"champion": "2", "previous": "3", "skipped": []}
    assert ran.out == "Version 2 is the champion again, in place of version 3.\n"
    assert (store.history()[-1].change.why, store.history()[-1].change.by) == (
        "too many alerts",
        "Ann",
    )
    assert mqbg("rollback").status == 0
    assert store.champion() == "1"
    refused(mqbg("rollback"), "version 1 is the champion", "none before it", "mqbg promote")
    assert store.champion() == "1"
    assert len(store.history()) == 5


@pytest.mark.slow
def test_a_rollback_skips_a_deleted_version_and_says_so(store, mqbg):
    for _ in range(3):
        store.add(world(0))
    for version in ("1", "2", "3"):
        mqbg("promote", version)
    store.client.delete_model_version(NAME, "2")
    ran = mqbg("rollback")
    assert ran.out.startswith("Skipped version 2, since deleted. Version 1 is the champion again")
    assert store.champion() == "1"


@pytest.mark.slow
def test_a_champion_that_was_deleted_can_be_rolled_back(store, mqbg):
    for _ in range(2):
        store.add(world(0))
    for version in ("1", "2"):
        mqbg("promote", version)
    store.client.delete_model_version(NAME, "2")
    assert store.champion() is None
    assert mqbg("rollback").status == 0
    assert store.champion() == "1"


@pytest.mark.slow
def test_a_rollback_to_nothing_but_deleted_versions_says_so(store, mqbg):
    for _ in range(2):
        store.add(world(0))
    for version in ("1", "2"):
        mqbg("promote", version)
    store.client.delete_model_version(NAME, "1")
    refused(mqbg("rollback"), "version 1, since deleted")


def test_a_rollback_without_a_history_is_refused(store, mqbg):
    store.add(world(0))
    refused(mqbg("rollback"), "no version is the champion")


@pytest.mark.slow
def test_a_rollback_to_a_bundle_that_cannot_be_read_is_refused(store, mqbg):
    store.add(world(0))
    store.add(world(0))
    mqbg("promote", "1")
    mqbg("promote", "2")
    run_id = store.client.get_model_version(NAME, "1").run_id
    store.client.log_text(run_id, "{", "model/data/bundle/bundle.json")
    refused(mqbg("rollback"), "could not read")
    assert store.champion() == "2"


def compared(mqbg, folder, *arguments):
    ran = mqbg("compare", *arguments, "--json", str(folder / "out.json"))
    assert ran.status == 0, ran.err
    return json.loads((folder / "out.json").read_text(encoding="utf-8")), ran.out


@pytest.mark.slow
def test_compare_shows_versions_and_runs_against_the_champion(store, mqbg, tmp_path):
    store.add(world(1))
    store.add(world(0), features=("a", "c"))
    run_id = store.add(world(2), registered=False)
    mqbg("promote", "1")
    tree, out = compared(mqbg, tmp_path)
    names = [f"run {run_id[:8]}", "version 2", "version 1"]
    assert [one["name"] for one in tree["trainings"]] == names
    assert [one["champion"] for one in tree["trainings"]] == [False, False, True]
    assert tree["against"] == "version 1"
    assert [one["name"] for one in tree["differences"]] == names[:2]
    losses = [one["differences"]["log_loss"] for one in tree["differences"]]
    assert losses[0]["low"] > 0 > losses[1]["high"]
    assert tree["differences"][1]["features_only_here"] == ["c"]
    assert tree["differences"][1]["features_only_there"] == ["b"]
    for word in (*names, "champion", "world", "2024-05-01 to", "400", "2024-01-03", "ROC AUC"):
        assert word in out
    assert "version 2 reads 1 that version 1 does not (c)" in out


def test_a_figure_of_a_version_is_the_figure_of_its_run(store, mqbg, tmp_path):
    rows = world(0)
    store.add(rows)
    tree, out = compared(mqbg, tmp_path)
    hits = rows.loc[rows["converted"], "readiness"].to_numpy()[:, None]
    misses = rows.loc[~rows["converted"], "readiness"].to_numpy()[None, :]
    auc = tree["trainings"][0]["figures"]["roc_auc"]
    assert auc["value"] == pytest.approx(float((hits > misses).mean()))
    assert f"{auc['value']:.3f}\n" in out or f"{auc['value']:.3f} " in out
    assert f"{auc['low']:.3f} to" in out
    assert f"{auc['high']:.3f}" in out


@pytest.mark.slow
def test_the_first_version_named_is_what_the_others_are_held_against(store, mqbg, tmp_path):
    for noise in (0, 1, 2):
        store.add(world(noise))
    mqbg("promote", "1")
    tree, _out = compared(mqbg, tmp_path, "3", "latest", "champion")
    assert [one["name"] for one in tree["trainings"]] == ["version 3", "version 1"]
    assert tree["against"] == "version 3"


def test_what_cannot_be_compared_is_said_in_a_sentence(store, mqbg, tmp_path):
    store.add(world(0))
    store.add(world(0, first=1000))
    store.add(world(0), **{"target.stage": "won"})
    mqbg("promote", "1")
    tree, out = compared(mqbg, tmp_path)
    assert all(one["obstacle"] for one in tree["differences"])
    assert "Version 2 and version 1 cannot be compared: no test row of one" in out
    assert "Version 3 and version 1 cannot be compared: version 3 predicts won within" in out


@pytest.mark.slow
def test_ten_trainings_are_shown_with_the_champion_among_them(store, mqbg, tmp_path):
    for _ in range(12):
        store.add()
    mqbg("promote", "1")
    tree, _out = compared(mqbg, tmp_path)
    assert [one["version"] for one in tree["trainings"]] == [
        *map(str, range(12, 3, -1)), "1",
    ]  # fmt: skip
    assert len(compared(mqbg, tmp_path, "--all")[0]["trainings"]) == 12


def test_folds_and_trials_are_not_shown(store, mqbg, tmp_path):
    version = store.add(world(0))
    parent = store.client.get_model_version(NAME, version).run_id
    store.add(registered=False, tags={"mlflow.parentRunId": parent})
    assert len(compared(mqbg, tmp_path)[0]["trainings"]) == 1


def test_a_version_whose_run_has_nothing_is_shown_all_the_same(store, mqbg, tmp_path):
    store.add(world(0))
    store.client.create_model_version(NAME, (store.folder / "nothing").as_uri())
    tree, out = compared(mqbg, tmp_path)
    assert {one["version"] for one in tree["trainings"]} == {"1", "2"}
    assert "version 2" in out


def test_nothing_to_compare_is_bad_input(store, mqbg):
    refused(mqbg("compare"), "found none", "mqbg train")


@pytest.mark.parametrize("command", [("compare",), ("promote", "1"), ("rollback",)])
def test_a_folder_without_a_store_is_bad_input_and_stays_empty(
    mqbg, monkeypatch, tmp_path, command
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    refused(mqbg(*command), "run `mqbg train` first")
    assert not list(tmp_path.iterdir())


def test_a_name_with_brackets_is_shown_as_it_is(store, mqbg, tmp_path):
    store.add(world(0), tags={"data": "[red]world[/x]"})
    _tree, out = compared(mqbg, tmp_path)
    assert "[red]world[/x]" in out


@pytest.mark.slow
def test_history_lists_every_move(store, mqbg, tmp_path):
    store.add(world(0))
    store.add(world(2))
    mqbg("promote", "1", "--by", "[b]Ann", "--why", "first")
    mqbg("promote", "2", "--by", "Bob", "--why", "forced", "--force")
    mqbg("rollback", "--by", "Ann", "--why", "back")
    tree, out = compared(mqbg, tmp_path, "--history")
    moves = [(one["action"], one["from"], one["to"], one["forced"]) for one in tree["history"]]
    assert moves == [
        ("promote", None, "1", False),
        ("promote", "1", "2", True),
        ("rollback", "2", "1", False),
    ]
    for word in ("[b]Ann", "Bob", "rollback", "promote (forced)", "back"):
        assert word in out


def test_an_empty_history_is_said(store, mqbg):
    assert "No move of the champion of mqbg is recorded." in mqbg("compare", "--history").out


def test_a_why_that_is_too_long_moves_nothing(store, mqbg):
    store.add(world(0))
    refused(mqbg("promote", "1", "--why", "x" * 3000), "--why", "3,000")
    assert store.champion() is None


def test_a_move_is_signed_by_the_user_and_the_clock(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "hana")
    before = datetime.now(UTC)
    move = new_move("promote")
    assert move.by == "hana"
    assert before <= move.at <= datetime.now(UTC)


def test_a_user_without_a_name_is_unknown(monkeypatch):
    def fail():
        raise OSError("no such user")

    monkeypatch.setattr("getpass.getuser", fail)
    assert new_move("promote").by == "unknown"


@pytest.fixture
def server(empty_store, tmp_path, monkeypatch, free_port):
    """An MLflow server on loopback, which keeps the files as well."""
    shutil.copy(empty_store, tmp_path / "served.db")
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # other processes' work
    process = subprocess.Popen(
        [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1",
            "--port", str(free_port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{tmp_path / 'served.db'}",
            "--artifacts-destination", str(tmp_path / "served"),
        ],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port}")
    try:
        wait_until_healthy(f"http://127.0.0.1:{free_port}/health")
        yield process
    finally:
        stop(process)


@pytest.fixture
def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_until_healthy(address, seconds=120):
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - loopback
                return
        except OSError:
            assert time.monotonic() < end, "the MLflow server does not start"
            time.sleep(0.3)


def stop(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_a_server_serves_as_well_as_a_file_until_it_goes_away(server, mqbg, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "load_bundle", lambda _folder: None)
    client = connect_mlflow().MlflowClient()
    client.rename_experiment(client.get_experiment_by_name(NAME).experiment_id, "kept in a folder")
    client.create_experiment(NAME)  # the server says where its files are
    store = Store(tmp_path)
    store.add(world(2))
    store.add(world(0))
    assert [mqbg("promote", number).status for number in ("1", "2", "1")] == [0, 0, 1]
    assert mqbg("rollback").status == 0
    assert store.champion() == "1"
    assert len(compared(mqbg, tmp_path)[0]["differences"]) == 1
    stop(server)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for command in (("compare",), ("promote", "2"), ("rollback",)):
        refused(mqbg(*command), "expected a store that answers at http://127.0.0.1")
