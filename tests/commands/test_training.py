"""train and register as people run them, on trainings made by hand and stores that fail."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mqbg.commands import training as train_commands
from mqbg.commands.app import main
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.model.registry import champion_version, connect_mlflow
from mqbg.settings import ModelSettings, RoleRequirement, Settings, TargetSettings
from mqbg.train.data.snapshots import SnapshotTable
from mqbg.train.data.split import Split
from mqbg.train.evaluate.evaluation import evaluate_bundle, touched_per_snapshot
from mqbg.train.fit import trees as fit
from mqbg.train.fit.procedure import fit_bundle
from mqbg.train.report import run_folder
from mqbg.train.training import TrainingResult

SEED = 8
WORDS = build_catalogue(
    Vocabulary(Template((TemplateRole("user", "user", RoleRequirement(), {}),)), ("web",))
)
FIRST = datetime(2024, 1, 1)
CUTOFFS = tuple(FIRST + timedelta(days=30 * n) for n in range(5))
SPLIT = Split(train=CUTOFFS[:2], test=CUTOFFS[3:], test_from=CUTOFFS[3])
SETTINGS = Settings(
    target=TargetSettings(horizon_days=30),
    model=ModelSettings(threads=1, refits=2, resamples=5, few_conversions=1, ablation=False),
)


def quiet(_label, _share):
    pass


def drawn(groups=120, shuffled=False):
    """Snapshots in which the rule's two columns tell who converts, or would if not shuffled."""
    draw = np.random.default_rng(SEED)
    rows = groups * len(CUTOFFS)
    columns = {
        f.name: pa.array(["x"] * rows) if f.categorical else pa.array(draw.uniform(0, 1, rows))
        for f in WORDS.features
    }
    told = draw.uniform(0, 1, rows)
    columns |= {"completeness": pa.array(told), "rule_engagement": pa.array(100 * told)}
    group = np.tile(np.arange(groups), len(CUTOFFS))
    keys = pd.DataFrame(
        {
            "group_id": [f"g{n:03d}" for n in group],
            "account_id": [f"a{n:03d}" for n in group],
            "solution_id": "x",
            "as_of": pd.Series(np.repeat(np.array(CUTOFFS, "datetime64[us]"), groups)),
            "converted": draw.random(rows) < told**2,
        }
    )
    if shuffled:
        keys["converted"] = draw.permutation(keys["converted"].to_numpy())
    engaged = keys[["group_id", "as_of", "converted"]].assign(
        role="user", **{signal.name: 1.0 for signal in WORDS.signals}
    )
    return SnapshotTable(pa.table(columns), keys, engaged, {})


def training(snapshots, settings):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "ROUNDS", 25)
        learned = fit_bundle(snapshots, SPLIT, WORDS, settings, "f00d", quiet)
    touched = touched_per_snapshot(SPLIT, settings)
    judged = evaluate_bundle(learned, snapshots, SPLIT, touched, quiet)
    example = snapshots.features.select(list(WORDS.feature_names)).slice(0, 3)
    return TrainingResult(learned.bundle, learned, judged, SPLIT, touched, example, example)


@pytest.fixture(scope="module")
def trained():
    return training(drawn(), SETTINGS)


@pytest.fixture(scope="module")
def hopeless():
    """The same with shuffled labels, and intervals wide enough to be true."""
    careful = replace(SETTINGS, model=replace(SETTINGS.model, resamples=200))
    return training(drawn(shuffled=True), careful)


@pytest.fixture
def store(empty_mlflow, tmp_path, monkeypatch):
    file = tmp_path / "mlflow.db"
    shutil.copy(empty_mlflow, file)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
    return file


@dataclass
class Ran:
    status: int
    out: str
    err: str


@pytest.fixture
def mqbg(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mqbg", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def gives(monkeypatch):
    """`mqbg train` gets this training from its tables; nothing is fitted, and no plot is drawn."""
    monkeypatch.setattr(run_folder, "draw_plots", lambda _trained: {})

    def install(made, meanwhile=lambda: None):
        def ready(*_arguments):
            meanwhile()
            return made

        monkeypatch.setattr(train_commands, "_train_on_data", ready)

    return install


def refused_to_write(file, table):
    """The store takes no further row of a table, as when its disk is full."""
    with sqlite3.connect(file) as opened:
        opened.execute(
            f"CREATE TRIGGER full BEFORE INSERT ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    opened.close()


def free_again(file):
    with sqlite3.connect(file) as opened:
        opened.execute("DROP TRIGGER full")
    opened.close()


def test_a_training_is_registered_and_says_what_to_do_next(mqbg, gives, store, trained):
    gives(trained)
    ran = mqbg("train", "world", "--json", "figures.json")
    assert ran.status == 0
    assert trained.evaluation.verdict in ran.out
    assert "Registered as mqbg version 1 and is the champion" in ran.out
    assert "mqbg score DATA" in ran.out
    figures = json.loads(Path("figures.json").read_text())
    assert (figures["version"], figures["threshold"]["policy"]) == ("1", "capacity")
    assert not train_commands.UNLOGGED_FOLDER.exists()


def test_on_shuffled_labels_the_status_is_3_and_nothing_is_registered(mqbg, gives, store, hopeless):
    gives(hopeless)
    ran = mqbg("train", "world", "--json", "figures.json")
    assert ran.status == 3
    assert "Nothing was registered and no threshold is published" in ran.out
    assert "Registered as" not in ran.out
    assert "qualifies from" not in ran.out
    client = connect_mlflow().MlflowClient()
    assert not client.search_registered_models()
    figures = json.loads(Path("figures.json").read_text())
    assert (figures["version"], figures["threshold"]) == (None, None)
    assert figures["signal"]["found"] is False
    assert client.get_run(figures["run_id"]).info.status == "FINISHED"


def test_with_no_signal_a_champion_stays_champion(mqbg, gives, store, trained, hopeless):
    gives(trained)
    mqbg("train", "world")
    gives(hopeless)
    assert mqbg("train", "world").status == 3
    assert champion_version(connect_mlflow().MlflowClient(), "mqbg") == "1"


# `runs` fails at once, `model_versions` when all but it is logged, and `metrics`, of which two more
# tests make use, between them.
@pytest.mark.slow
@pytest.mark.parametrize("table", ["runs", "model_versions"])
def test_a_store_that_fails_in_the_middle_costs_no_training(mqbg, gives, store, trained, table):
    gives(trained, lambda: refused_to_write(store, table))
    ran = mqbg("train", "world", "--json", "figures.json")
    assert ran.status == 1
    assert "Traceback" not in ran.err
    kept = Path("mqbg-unlogged") / "f00d"
    assert f"the training is kept in {kept}" in ran.err
    assert f"log it with: mqbg register {kept}" in ran.err
    assert not Path("figures.json").exists()
    assert champion_version(connect_mlflow().MlflowClient(), "mqbg") is None

    still = mqbg("register", kept)
    assert still.status == 1
    assert f"mqbg register {kept}" in still.err
    assert (kept / "bundle" / "bundle.json").exists()

    free_again(store)
    later = mqbg("register", kept)
    assert later.status == 0
    assert "Logged as version 1 of mqbg, and is the champion" in later.out
    assert champion_version(connect_mlflow().MlflowClient(), "mqbg") == "1"


def test_a_kept_training_without_signal_registers_nothing_later(mqbg, gives, store, hopeless):
    gives(hopeless, lambda: refused_to_write(store, "metrics"))
    assert mqbg("train", "world").status == 1
    free_again(store)
    later = mqbg("register", Path("mqbg-unlogged") / "f00d")
    assert later.status == 0
    assert "Logged as run " in later.out
    assert not connect_mlflow().MlflowClient().search_registered_models()


class Answers(BaseHTTPRequestHandler):
    """As much of MLflow's server as says that it is there."""

    def _answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"{}"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - names that the standard library asks for

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    answering = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=answering.serve_forever)
    thread.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{answering.server_port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def stop():
        answering.shutdown()
        answering.server_close()
        thread.join()

    yield stop
    if thread.is_alive():
        stop()


def test_a_server_that_dies_in_the_middle_costs_no_training(mqbg, gives, server, trained):
    gives(trained, server)
    ran = mqbg("train", "world")
    assert ran.status == 1
    assert "mqbg register mqbg-unlogged/f00d" in ran.err
    assert "Traceback" not in ran.err
    assert Path("mqbg-unlogged/f00d/bundle/bundle.json").exists()


def test_a_server_that_is_down_is_told_before_any_work(mqbg, gives, server, trained):
    worked = []
    gives(trained, lambda: worked.append("fitted"))
    server()
    ran = mqbg("train", "world")
    assert ran.status == 2
    assert "expected a store that answers at http://127.0.0.1" in ran.err
    assert not worked
    assert not train_commands.UNLOGGED_FOLDER.exists()


def test_a_training_kept_again_takes_the_place_of_the_one_before(mqbg, gives, store, trained):
    gives(trained, lambda: refused_to_write(store, "metrics"))
    mqbg("train", "world")
    free_again(store)
    leftover = Path("mqbg-unlogged/f00d/leftover")
    leftover.touch()
    gives(trained, lambda: refused_to_write(store, "metrics"))
    mqbg("train", "world")
    assert not leftover.exists()
    assert len(list(Path("mqbg-unlogged").iterdir())) == 1


def test_register_refuses_a_folder_without_a_training(mqbg, store, tmp_path):
    ran = mqbg("register", tmp_path / "nothing")
    assert ran.status == 2
    assert "expected a training that `mqbg train` kept" in ran.err


@pytest.mark.parametrize("trials", ["-1", "many"])
def test_a_number_of_trials_that_is_none_is_refused(mqbg, trials):
    assert mqbg("train", "world", "--trials", trials).status == 2
