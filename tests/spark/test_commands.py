"""`--engine spark` as people run it: the same tables, little noise, one sentence when it fails."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mqbg.commands.app import main
from mqbg.contract import BadInput
from mqbg.simulate import simulate
from mqbg.source import checked_source, on_engine

AS_OF = "2025-06-01"
SETTINGS = """
[model]
resamples = 2
threads = 1
[snapshots]
start = "2024-06-01"
"""
AWKWARD = "a staging%20folder #1 [x]{y}?"


@pytest.fixture
def mqbg(monkeypatch, capfd, tmp_path):
    """Runs the command in this process: exit status and stderr."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MQBG_SPARK_STAGING", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # main() sets one for this stderr

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mqbg", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capfd.readouterr().err

    return run


def in_a_process(folder: Path, script: str, *arguments: object, **environment: str):
    """Runs a script as the command in a process, and a JVM, of its own."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, **environment},
    )  # fmt: skip


COMMAND = "from mqbg.commands.app import main; main()"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spark") / "world"
    simulate(folder, groups=60, seed=3)
    return folder


def said_by_spark(stderr: str) -> list[str]:
    """What stands on stderr beside our own notices about the data."""
    ours = ("INFO mqbg.", "WARNING mqbg.")
    return [line for line in stderr.splitlines() if line and not line.startswith(ours)]


def assert_refused(status: int, stderr: str, *words: str) -> None:
    """One line, exit status 2; every word is in it."""
    (line,) = said_by_spark(stderr)
    assert status == 2
    for word in words:
        assert word in line


def assert_near(got: pa.ChunkedArray, expected: pa.ChunkedArray, tolerance: float) -> None:
    assert got.to_pylist() == pytest.approx(expected.to_pylist(), rel=0, abs=tolerance)


# ---------------------------------------------------------------- the same tables


@pytest.mark.spark
def test_features_of_a_session_of_its_own_are_those_of_duckdb_and_the_terminal_stays_quiet(
    mqbg, world, tmp_path
):
    arguments = ("features", world, "--as-of", AS_OF, "--out")
    assert mqbg(*arguments, "duckdb.parquet")[0] == 0
    spark = in_a_process(tmp_path, COMMAND, *arguments, "spark.parquet", "--engine", "spark")
    assert spark.returncode == 0, spark.stderr
    assert said_by_spark(spark.stderr) == []
    assert spark.stdout == ""
    expected, got = pq.read_table("duckdb.parquet"), pq.read_table("spark.parquet")
    assert got == expected
    assert {path.name for path in tmp_path.iterdir()} == {"duckdb.parquet", "spark.parquet"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A working folder with a champion."""
    folder = tmp_path_factory.mktemp("trained")
    simulate(folder / "world", groups=300, seed=3)
    (folder / "mqbg.toml").write_text(SETTINGS)
    environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlruns/mlflow.db"}
    done = in_a_process(folder, COMMAND, "train", "world", **environment)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.spark
def test_scores_are_those_of_duckdb(spark, mqbg, monkeypatch, trained, world, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{trained}/mlruns/mlflow.db")
    for engine in ("duckdb", "spark"):
        status, stderr = mqbg(
            "score", world, "--as-of", AS_OF, "--out", engine, "--engine", engine,
            "--config", trained / "mqbg.toml",
        )  # fmt: skip
        assert status == 0, stderr
    for name in ("scores", "stakeholders", "actions", "horizons"):
        expected, got = (pq.read_table(f"{e}/{name}.parquet") for e in ("duckdb", "spark"))
        assert expected.num_rows
        assert got.schema == expected.schema
        for column in ("log_odds",) if name == "scores" else ():
            assert_near(got[column], expected[column], 1e-9)
            expected, got = expected.drop(column), got.drop(column)
        assert got == expected


@pytest.mark.spark
def test_a_registered_model_scores_feature_tables_as_a_function_of_spark(
    spark, mqbg, monkeypatch, trained, world
):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{trained}/mlruns/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{trained}/mlruns/mlflow.db")
    status, _ = mqbg(
        "features",
        trained / "world",
        "--as-of",
        AS_OF,
        "--out",
        "f.parquet",
        "--version",
        "champion",
    )
    assert status == 0
    model = mlflow.pyfunc.load_model("models:/mqbg@champion")
    names = model.metadata.get_input_schema().input_names()
    features = pq.read_table("f.parquet").to_pandas()
    score = mlflow.pyfunc.spark_udf(
        spark,
        "models:/mqbg@champion",
        result_type="log_odds double, readiness double",
        env_manager="local",
    )
    rows = spark.read.parquet(str(Path("f.parquet").resolve()))
    got = rows.select("group_id", score(*names).alias("score")).toPandas()
    expected = model.predict(features[names])
    by_group = dict(zip(got["group_id"], got["score"], strict=True))
    for place, group_id in enumerate(features["group_id"]):
        assert by_group[group_id]["log_odds"] == pytest.approx(expected["log_odds"][place])
        assert by_group[group_id]["readiness"] == pytest.approx(expected["readiness"][place])


# ---------------------------------------------------------------- staging


@pytest.fixture(scope="module")
def source(world):
    with checked_source(world, threads=1) as opened:
        yield opened


@pytest.mark.spark
@pytest.mark.parametrize("as_url", [False, True], ids=["path", "URL"])
def test_tables_are_staged_where_the_variable_says_and_gone_afterwards(
    spark, monkeypatch, source, tmp_path, as_url
):
    staging = tmp_path / AWKWARD
    staging.mkdir(mode=0o755)
    monkeypatch.setenv("MQBG_SPARK_STAGING", staging.as_uri() if as_url else str(staging))
    with on_engine(source, "spark") as there:
        (folder,) = staging.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o755  # as readable as the share itself
        assert (folder / "members.parquet").exists()
        rows = there.tables["members"].count().to_pyarrow().as_py()
    assert rows == source.tables["members"].count().to_pyarrow().as_py()
    assert list(staging.iterdir()) == []


@pytest.mark.parametrize(
    "staging",
    ["hdfs://name:8020/tmp", "s3a://bucket/tmp", "dbfs:/tmp", "file://other/tmp", "/no/such", "f"],
)
def test_a_staging_place_that_is_no_folder_is_refused_before_spark_starts(
    mqbg, monkeypatch, world, tmp_path, staging
):
    (tmp_path / "f").write_text("a file")
    monkeypatch.setenv("MQBG_SPARK_STAGING", staging)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    refused = mqbg("features", world, "--as-of", AS_OF, "--out", "x.parquet", "--engine", "spark")
    assert_refused(*refused, "MQBG_SPARK_STAGING: expected a folder", staging)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


# ---------------------------------------------------------------- a session that runs already


@pytest.mark.spark
def test_a_running_session_keeps_its_settings_its_views_and_itself(spark, source):
    before = spark.conf.get("spark.sql.session.timeZone")
    with on_engine(source, "spark") as there:
        assert there.tables["accounts"].count().to_pyarrow().as_py() > 0
        assert there.backend._session.conf.get("spark.sql.session.timeZone") == "UTC"
        assert spark.conf.get("spark.sql.session.timeZone") == before != "UTC"
        assert not spark.catalog.tableExists("given_accounts")
    assert spark.range(3).count() == 3


# ---------------------------------------------------------------- what fails


def test_an_unknown_engine_is_refused(mqbg, world, tmp_path):
    refused = mqbg("features", world, "--as-of", AS_OF, "--out", "x", "--engine", "flink")
    assert_refused(*refused, "--engine: expected one of duckdb, spark, got 'flink'")
    assert list(tmp_path.iterdir()) == []


def test_without_pyspark_the_command_says_what_to_install(mqbg, monkeypatch, world, tmp_path):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    refused = mqbg("features", world, "--as-of", AS_OF, "--out", "x", "--engine", "spark")
    assert_refused(*refused, 'pip install "mqbg[spark]"')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spark
def test_without_java_the_command_says_what_spark_needs(world, tmp_path):
    done = in_a_process(
        tmp_path, COMMAND, "features", world, "--as-of", AS_OF, "--out", "x", "--engine", "spark",
        JAVA_HOME="/no/such/java",
    )  # fmt: skip
    assert_refused(done.returncode, done.stderr, "/no/such/java/bin/java", "Spark needs Java 17")
    assert list(tmp_path.iterdir()) == []


# The command, until its source is prepared; then something happens to Spark.
BROKEN = """
import os, signal
from mqbg.commands.app import main
from mqbg.features.tables import feature_source
from pyspark import SparkContext
real = feature_source.prepare_source
def prepare_source(*arguments):
    made = real(*arguments)
    {happens}
    return made
feature_source.prepare_source = prepare_source
main()
"""


@pytest.mark.spark
@pytest.mark.parametrize(
    "happens",
    [
        "os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)",
        "SparkContext._active_spark_context._jsc.stop()",
        "SparkContext._active_spark_context.stop()",
    ],
    ids=["JVM killed", "context stopped", "session stopped"],
)
def test_a_spark_that_ends_in_the_middle_is_one_sentence_and_writes_nothing(
    world, tmp_path, happens
):
    done = in_a_process(
        tmp_path, BROKEN.format(happens=happens),
        "features", world, "--as-of", AS_OF, "--out", "x", "--engine", "spark",
    )  # fmt: skip
    assert_refused(done.returncode, done.stderr, "engine spark failed", "nothing was written")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spark
def test_staged_files_that_vanish_in_the_middle_are_one_sentence(
    spark, monkeypatch, source, tmp_path
):
    monkeypatch.setenv("MQBG_SPARK_STAGING", str(tmp_path))

    def scan_what_is_gone() -> None:
        with on_engine(source, "spark") as there:
            shutil.rmtree(next(tmp_path.iterdir()))
            there.tables["activities"].count().to_pyarrow()

    with pytest.raises(BadInput, match=r"engine spark failed.*nothing was written") as refusal:
        scan_what_is_gone()
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spark
def test_a_query_of_ours_that_spark_cannot_read_is_no_fault_of_the_user_s(spark, source):
    from pyspark.errors import AnalysisException

    with pytest.raises(AnalysisException), on_engine(source, "spark") as there:
        there.backend.sql("SELECT nothing FROM given_members").to_pyarrow()


@pytest.mark.spark
def test_an_error_that_is_not_spark_s_stays_what_it_is(spark, source):
    with pytest.raises(KeyError, match="mine"), on_engine(source, "spark"):
        raise KeyError("mine")
