"""The commands as people run them: results, exit statuses, sentences, nothing half-written."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from mqbg.commands.app import app, main
from typer.main import get_command

ROOT = Path(__file__).parents[2]
EARLIER, AS_OF = "2025-05-01", "2025-06-01"
TINY = {
    "accounts": "account_id,name\nA1,東都電機株式会社\nA2,Orion Inc.\n",
    "contacts": "contact_id,account_id,full_name\nC1,A1,佐藤 花子\nC2,A2,Ann Lee\nC3,A2,Sam Coy\n",
    "solutions": "solution_id,name\nS1,Analytics\n",
    "buying_groups": (
        "group_id,account_id,solution_id,created_at\n"
        "G1,A1,S1,2024-01-01\nG2,A2,S1,2024-01-01\nG3,A2,S1,2024-02-01\n"
    ),
    "members": (
        "group_id,contact_id,role,joined_at\nG1,C1,user,2024-01-02\n"
        "G2,C2,user,2024-01-02\nG2,C3,user,2024-01-02\n"
    ),
    "activities": (
        "activity_id,contact_id,kind,occurred_at\n"
        "E1,C1,meeting,2024-01-05T10:00:00\nE2,C2,web_visit,2024-01-06T10:00:00\n"
    ),
    "stage_events": "group_id,stage,occurred_at\nG1,opportunity,2024-03-01\nG2,open,2024-01-01\n",
}


@dataclass
class Ran:
    status: int
    out: str
    err: str


@pytest.fixture
def mqbg(monkeypatch, capfd, tmp_path):
    """Runs the command in this process, in an empty working folder and without a store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MQBG_STORE_URL", "")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["mqbg", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def tiny(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    for table, text in TINY.items():
        (folder / f"{table}.csv").write_text(text, encoding="utf-8")
    return folder


def refused(ran: Ran, *words: str) -> None:
    """One report, exit status 2, no traceback; every word is in it."""
    assert ran.status == 2
    assert "Traceback" not in ran.err
    for word in words:
        assert word in ran.err


def test_every_command_has_help_that_says_what_it_does():
    for name, command in get_command(app).commands.items():
        assert command.help, name
        for parameter in command.params:
            if parameter.name not in {"config", "help"}:
                assert parameter.help, f"{name} {parameter.name}"


def test_check_passes_sound_tables(mqbg, tiny):
    ran = mqbg("check", tiny)
    assert ran.status == 0
    assert "no problems" in ran.out


def test_check_tells_of_groups_without_members_and_members_without_activities(mqbg, tiny):
    """Both are scored, so they are notices and no refusals (design.md does not refuse them)."""
    out = mqbg("check", tiny).out
    assert "without a member" in out
    assert "has no activity" in out


def test_check_names_every_problem_at_once(mqbg, tiny):
    (tiny / "members.csv").write_text(
        "group_id,contact_id,role,joined_at,left_at\nG1,C9,user,2024-01-02,\n"
        "G2,C2,user,2024-01-05,2024-01-01\nG2,C3,user,yesterday,\n"
    )
    (tiny / "accounts.csv").write_text("account_id,name\nA1,One\nA1,Other\nA2,Two\n")
    refused(mqbg("check", tiny), "accounts", "members", "joined_at", "left_at", "C9", "yesterday")


def test_check_writes_its_report_as_json_whether_or_not_there_are_problems(mqbg, tiny, tmp_path):
    assert mqbg("check", tiny, "--json", tmp_path / "sound.json").status == 0
    sound = json.loads((tmp_path / "sound.json").read_text(encoding="utf-8"))
    assert sound["follows_contract"]
    assert sound["rows"]["members"] == 3
    assert any("without a member, scored as empty: 1 of 3" in said for said in sound["warnings"])
    with (tiny / "members.csv").open("a") as members:
        members.write("G2,C9,user,2024-01-02\n")
    refused(mqbg("check", tiny, "--json", tmp_path / "broken.json"), "C9")
    broken = json.loads((tmp_path / "broken.json").read_text(encoding="utf-8"))
    (problem,) = broken["problems"]
    assert not broken["follows_contract"]
    assert broken["counts"]["problems"] == 1
    assert (problem["table"], problem["column"], problem["rule"], problem["count"]) == (
        "members", "contact_id", "dangling key", 1,
    )  # fmt: skip
    assert "C9" in problem["examples"][0]


def test_check_quarantines_and_goes_on(mqbg, tiny, tmp_path):
    with (tiny / "members.csv").open("a") as members:
        members.write("G1,C9,user,2024-01-02\n")
    assert mqbg("check", tiny, "--quarantine", tmp_path / "bad").status == 0
    rows = pq.read_table(tmp_path / "bad" / "members.parquet").to_pylist()
    assert [(row["contact_id"], bool(row["reasons"])) for row in rows] == [("C9", True)]


def test_an_empty_folder_is_refused(mqbg, tmp_path):
    (tmp_path / "nothing").mkdir()
    refused(mqbg("check", tmp_path / "nothing"), "buying_groups")


def test_an_absent_path_is_refused(mqbg):
    refused(mqbg("check", "nowhere"), "nowhere")


def test_an_empty_table_is_refused(mqbg, tiny):
    (tiny / "buying_groups.csv").write_text("group_id,account_id,solution_id,created_at\n")
    refused(mqbg("check", tiny), "buying_groups")


def test_a_csv_with_a_byte_order_mark_is_read(mqbg, tiny):
    """Spreadsheets write one; refusing it would help nobody."""
    text = (tiny / "accounts.csv").read_text(encoding="utf-8")
    (tiny / "accounts.csv").write_text(text, encoding="utf-8-sig")
    assert mqbg("check", tiny).status == 0


@pytest.mark.parametrize("encoding", ["cp932", "utf-16"])
def test_a_csv_in_another_encoding_is_read(mqbg, tiny, encoding):
    text = (tiny / "accounts.csv").read_text(encoding="utf-8")
    (tiny / "accounts.csv").write_text(text, encoding=encoding)
    assert mqbg("check", tiny).status == 0


@pytest.mark.slow
def test_mixed_time_zones_mean_the_same_instants(mqbg, tiny, tmp_path):
    """Naive means UTC, zone-aware is converted (design.md): the features do not change."""
    mqbg("features", tiny, "--as-of", "2024-02-15", "--out", tmp_path / "one.parquet")
    (tiny / "activities.csv").write_text(
        "activity_id,contact_id,kind,occurred_at\n"
        "E1,C1,meeting,2024-01-05T19:00:00+09:00\nE2,C2,web_visit,2024-01-06T10:00:00\n"
    )
    mqbg("features", tiny, "--as-of", "2024-02-15", "--out", tmp_path / "two.parquet")
    one, two = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("one", "two"))
    assert one.equals(two)


def test_a_column_of_the_wrong_type_is_refused(mqbg, tiny, tmp_path):
    (tiny / "buying_groups.csv").unlink()
    table = pa.table(
        {"group_id": ["G1"], "account_id": ["A1"], "solution_id": ["S1"], "created_at": [True]}
    )
    pq.write_table(table, tiny / "buying_groups.parquet")
    refused(mqbg("check", tiny), "buying_groups", "created_at")


def test_a_duckdb_file_is_a_source(mqbg, tiny, tmp_path):
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as database:
        for table in TINY:
            database.execute(f"CREATE TABLE {table} AS FROM '{tiny / table}.csv'")
    assert mqbg("check", tmp_path / "crm.duckdb").status == 0


def test_features_writes_keys_then_the_catalogue(mqbg, tiny, tmp_path):
    out = tmp_path / "features.parquet"
    ran = mqbg("features", tiny, "--as-of", "2024-02-15", "--as-of", "2024-01-15", "--out", out)
    assert ran.status == 0
    table = pq.read_table(out)
    assert table.column_names[:2] == ["group_id", "as_of"]
    keys = [(r["group_id"], str(r["as_of"])[:10]) for r in table.select([0, 1]).to_pylist()]
    assert keys == [
        ("G1", "2024-01-15"),
        ("G2", "2024-01-15"),
        ("G1", "2024-02-15"),
        ("G2", "2024-02-15"),
        ("G3", "2024-02-15"),
    ]


@pytest.fixture
def earlier_features(mqbg, tiny, tmp_path, outputs):
    """Features of the tiny tables at nine in the morning, written by the command once."""
    out = tmp_path / "features.parquet"
    if "features" not in outputs:
        assert mqbg("features", tiny, "--as-of", "2024-02-15T09:00", "--out", out).status == 0
        outputs["features"] = out.read_bytes()
    out.write_bytes(outputs["features"])
    return out


@pytest.fixture(scope="module")
def outputs():
    """What the command wrote for an earlier test, by name."""
    return {}


@pytest.mark.slow
def test_features_of_what_changed_equal_a_full_run(mqbg, tiny, tmp_path, earlier_features):
    out, full = earlier_features, tmp_path / "full.parquet"
    since = ("--changed-since", "2024-02-15T09:00")
    assert mqbg("features", tiny, "--as-of", "2024-02-15T18:00", "--out", out, *since).status == 0
    assert mqbg("features", tiny, "--as-of", "2024-02-15T18:00", "--out", full).status == 0
    assert pq.read_table(out).equals(pq.read_table(full))


@pytest.mark.parametrize(
    ("as_of", "since", "told"),
    [
        ("2024-02-15T18:00", "2024-02-15T10:00", "2024-02-15 09:00:00"),
        ("2024-02-15T08:00", "2024-02-15T09:00", "at or after it"),
        ("2024-02-15T18:00", "yesterday", "'yesterday'"),
    ],
)
def test_changes_since_a_cutoff_that_the_output_does_not_hold_are_refused(
    mqbg, tiny, earlier_features, as_of, since, told
):
    out = earlier_features
    before = out.read_bytes()
    refused(mqbg("features", tiny, "--as-of", as_of, "--out", out, "--changed-since", since), told)
    assert out.read_bytes() == before


def test_changes_since_without_an_earlier_output_are_refused(mqbg, tiny, tmp_path):
    since = ("--changed-since", "2024-02-15T09:00")
    out = tmp_path / "none.parquet"
    refused(
        mqbg("features", tiny, "--as-of", "2024-02-15T18:00", "--out", out, *since), "none.parq"
    )
    assert not out.exists()


@pytest.mark.slow
def test_features_before_all_data_are_refused(mqbg, tiny, tmp_path):
    out = tmp_path / "features.parquet"
    refused(mqbg("features", tiny, "--as-of", "2020-01-01", "--out", out), "2020-01-01")
    assert not out.exists()


def test_a_cutoff_that_is_no_date_is_refused(mqbg, tiny, tmp_path):
    out = tmp_path / "f.parquet"
    refused(mqbg("features", tiny, "--as-of", "soon", "--out", out), "'soon'", "2024-05-01")
    assert not out.exists()


def test_an_unknown_setting_names_the_nearest(mqbg, tiny, tmp_path):
    (tmp_path / "mqbg.toml").write_text("[target]\nhorizon = 30\n")
    refused(mqbg("check", tiny), "'horizon'", "'horizon_days'")


def test_a_target_that_never_occurs_is_refused_with_the_stages_there_are(mqbg, world, tmp_path):
    (tmp_path / "mqbg.toml").write_text('[target]\nstage = "oportunity"\n')
    refused(mqbg("train", world), "'oportunity'", "perhaps to 'opportunity'")
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.slow
def test_too_few_snapshots_to_split_are_refused(mqbg, world, tmp_path):
    (tmp_path / "mqbg.toml").write_text("[target]\nhorizon_days = 400\n")
    refused(mqbg("train", world), "split", "horizon_days")
    assert not (tmp_path / "mlruns").exists()


def test_a_history_shorter_than_the_horizon_is_refused(mqbg, tiny, tmp_path):
    refused(mqbg("train", tiny), "horizon")
    assert not (tmp_path / "mlruns").exists()


def test_scoring_without_a_model_is_refused(mqbg, tiny, tmp_path):
    refused(mqbg("score", tiny, "--as-of", AS_OF, "--out", "scores"), "mqbg train")
    assert not (tmp_path / "scores").exists()
    assert not (tmp_path / "mlruns").exists()


def test_train_writes_every_figure_and_makes_the_first_version_champion(trained):
    tree = json.loads((trained / "figures.json").read_text())
    methods = {row["method"] for row in tree["figures"]}
    assert tree["version"] == "1"
    assert {"mqbg", "base rate", "logistic regression"} < methods
    assert {row["population"] for row in tree["figures"]} == {"all accounts", "unseen accounts"}


def test_train_says_what_every_theme_is_worth_and_what_may_leak(trained):
    tree = json.loads((trained / "figures.json").read_text())
    themes = {row["theme"]: row for row in tree["ablation"]}
    assert {"engagement", "roles", "completeness", "roles+completeness"} <= set(themes)
    worth = themes["engagement"]
    assert worth["roc_auc_gain_low"] <= worth["roc_auc_gain"] <= worth["roc_auc_gain_high"]
    assert tree["probes"] == []


def test_a_run_holds_the_ablation_and_the_findings_of_the_probes(trained, monkeypatch):
    import mlflow

    monkeypatch.chdir(trained)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlruns/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{trained / 'mlruns' / 'mlflow.db'}")
    client = mlflow.MlflowClient()
    run = client.get_run(client.get_model_version_by_alias("mqbg", "champion").run_id)
    tree = json.loads((trained / "figures.json").read_text())
    gains = {row["theme"]: row["roc_auc_gain"] for row in tree["ablation"]}
    table = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/metrics.csv")
    metrics = dict(line.split(",") for line in table.splitlines())
    assert float(metrics["ablation.roles.roc_auc_gain"]) == pytest.approx(gains["roles"])
    assert "ablation.roles_and_completeness.log_loss_gain_low" in metrics
    assert run.data.metrics["leak_findings"] == 0
    logged = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"ablation.json", "probes.json"} <= logged


@pytest.fixture(scope="session")
def leaky(world, tmp_path_factory):
    """The world, where only accounts whose groups convert have a tier."""
    folder = tmp_path_factory.mktemp("leaky") / "world"
    folder.mkdir()
    for path in world.glob("*.parquet"):
        pq.write_table(pq.read_table(path), folder / path.name)
    events = pq.read_table(world / "stage_events.parquet").to_pandas()
    won = events[events.stage == "opportunity"].group_id
    groups = pq.read_table(world / "buying_groups.parquet").to_pandas()
    owners = set(groups[groups.group_id.isin(won)].account_id)
    accounts = pq.read_table(world / "accounts.parquet").to_pylist()
    for row in accounts:
        row["tier"] = row["tier"] if row["account_id"] in owners else None
    pq.write_table(pa.Table.from_pylist(accounts), folder / "accounts.parquet")
    return folder


@pytest.mark.slow
def test_probe_says_that_it_found_no_leak(trained, world, mqbg):
    ran = mqbg("probe", world, "--config", trained / "mqbg.toml")
    assert (ran.status, ran.out.strip()) == (0, "no leak found")


@pytest.mark.slow
def test_probe_names_the_leak_and_what_to_do_and_is_done(trained, leaky, mqbg, tmp_path):
    told = tmp_path / "probes.json"
    ran = mqbg("probe", leaky, "--config", trained / "mqbg.toml", "--json", told)
    assert ran.status == 0
    assert "accounts.tier" in ran.out
    assert "what to do" in ran.out
    found = json.loads(told.read_text())["findings"]
    assert "accounts.tier" in {finding["thing"] for finding in found}
    for finding in found:
        assert set(finding) == {"probe", "thing", "figure", "shown", "sentence"}


def test_probe_without_enough_history_is_refused(mqbg, tiny, tmp_path):
    refused(mqbg("probe", tiny, "--json", tmp_path / "probes.json"), "longer history")
    assert not (tmp_path / "probes.json").exists()


def test_a_run_holds_parameters_figures_plots_and_the_bundle(trained, monkeypatch):
    import mlflow

    monkeypatch.chdir(trained)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlruns/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{trained / 'mlruns' / 'mlflow.db'}")
    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias("mqbg", "champion")
    run = client.get_run(version.run_id)
    assert {"roc_auc", "roc_auc_low", "roc_auc_high", "threshold"} <= set(run.data.metrics)
    assert run.data.params["lightgbm.num_leaves"] == "15"
    assert len(run.data.tags["data_fingerprint"]) == 16
    plots = {Path(a.path).name for a in client.list_artifacts(version.run_id, "plots")}
    assert {"reliability.png", "lift.png", "precision_recall.png"} <= plots
    assert {a.path for a in client.list_artifacts(version.run_id)} >= {"features.json"}
    folder = Path(mlflow.artifacts.download_artifacts("models:/mqbg@champion"))
    assert not [path for path in folder.rglob("*") if path.suffix in {".pkl", ".pickle"}]


def renamed_kinds(world, folder):
    """The world, where one kind bears a name that few families leave room for."""
    shutil.copytree(world, folder)
    activities = pq.read_table(folder / "activities.parquet")
    kinds = pc.replace_substring_regex(activities["kind"], "^web_visit$", "kiosk_visit")
    place = activities.schema.get_field_index("kind")
    pq.write_table(activities.set_column(place, "kind", kinds), folder / "activities.parquet")
    return folder


@pytest.mark.slow
def test_a_model_served_by_mlflow_says_what_score_says(trained, world, mqbg, monkeypatch, tmp_path):
    """Also of data whose own columns would be others: the columns are those of the training."""
    import mlflow

    data = renamed_kinds(world, tmp_path / "other")
    monkeypatch.chdir(trained)
    out = tmp_path / "features.parquet"
    assert mqbg("features", data, "--as-of", AS_OF, "--out", out, "--version", "1").status == 0
    assert mqbg("score", data, "--as-of", AS_OF, "--out", tmp_path / "scores").status == 0
    mlflow.set_tracking_uri(f"sqlite:///{trained / 'mlruns' / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model("models:/mqbg@champion")
    features = pq.read_table(out).to_pandas()
    assert list(features.columns[2:]) == model.metadata.get_input_schema().input_names()
    answer = model.predict(features)
    assert list(answer.columns) == ["log_odds", "readiness"]
    served = dict(zip(features["group_id"], answer["readiness"], strict=True))
    scores = pq.read_table(tmp_path / "scores" / "scores.parquet").to_pandas()
    assert set(served) == set(scores["group_id"])
    assert (scores["readiness"] - scores["group_id"].map(served)).abs().max() <= 1e-12


@pytest.mark.parametrize("command", ["score", "features"])
def test_roles_in_capitals_are_refused_before_anything_is_written(
    trained, world, mqbg, monkeypatch, tmp_path, command
):
    data = tmp_path / "capitals"
    shutil.copytree(world, data)
    members = pq.read_table(data / "members.parquet")
    place = members.schema.get_field_index("role")
    capitals = members.set_column(place, "role", pc.utf8_upper(members["role"]))
    pq.write_table(capitals, data / "members.parquet")
    monkeypatch.chdir(trained)
    out = tmp_path / "out"
    ran = mqbg(command, data, "--as-of", AS_OF, "--out", out, "--version", "champion")
    refused(ran, f"{command}: expected names that the model knows", "known: 'user'", "--force")
    assert not out.exists()


@pytest.mark.slow
def test_columns_of_a_model_are_carried_over_for_that_model_alone(
    trained, world, mqbg, monkeypatch, tmp_path
):
    monkeypatch.chdir(trained)
    out, full = tmp_path / "features.parquet", tmp_path / "full.parquet"
    later = ("--as-of", AS_OF + "T18:00")
    since = ("--changed-since", AS_OF + "T09:00")
    own = ("--version", "champion")
    assert mqbg("features", world, "--as-of", AS_OF + "T09:00", "--out", out).status == 0
    assert mqbg("features", world, *later, "--out", full, *own).status == 0
    assert mqbg("features", world, *later, "--out", out, *own, *since).status == 0
    assert pq.read_table(out).equals(pq.read_table(full))


def test_score_writes_its_tables_and_they_sum(scored):
    names = sorted(path.name for path in (scored / AS_OF).iterdir())
    tables = ["actions", "horizons", "scores", "stakeholders", "summaries", "themes"]
    assert names == sorted([*(f"{table}.parquet" for table in tables), "facts.json"])
    facts = json.loads((scored / AS_OF / "facts.json").read_text(encoding="utf-8"))
    assert facts["model"]["measured"]
    assert facts["data_fit"]["refusal"] is None
    scores = pq.read_table(scored / AS_OF / "scores.parquet").to_pandas()
    members = pq.read_table(scored / AS_OF / "stakeholders.parquet").to_pandas()
    added = members.groupby("group_id")["contribution"].sum()
    total = scores["base_log_odds"] + scores["group_id"].map(added).fillna(0.0)
    assert (total - scores["log_odds"]).abs().max() < 1e-6


@pytest.mark.slow
def test_an_earlier_output_of_score_gives_way(trained, world, scored, mqbg, monkeypatch, tmp_path):
    monkeypatch.chdir(trained)
    out = tmp_path / "scores"
    shutil.copytree(scored / EARLIER, out)
    assert mqbg("score", world, "--as-of", AS_OF, "--out", out).status == 0
    as_ofs = pq.read_table(out / "scores.parquet")["as_of"]
    assert str(pc.min(as_ofs).as_py())[:10] == AS_OF
    assert [p.name for p in tmp_path.iterdir()] == ["scores"]


def test_score_leaves_a_folder_of_somebody_else_alone(trained, world, mqbg, monkeypatch, tmp_path):
    monkeypatch.chdir(trained)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    refused(mqbg("score", world, "--as-of", AS_OF, "--out", tmp_path / "mine"), "thesis.txt")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_scoring_before_all_data_is_refused(trained, world, mqbg, monkeypatch, tmp_path):
    monkeypatch.chdir(trained)
    ran = mqbg("score", world, "--as-of", "2001-01-01", "--out", tmp_path / "scores")
    refused(ran, "2001-01-01", "--as-of")
    assert not list(tmp_path.iterdir())


def test_score_refuses_bad_tables_before_anything_is_written(
    trained, world, mqbg, monkeypatch, tiny, tmp_path
):
    monkeypatch.chdir(trained)
    (tiny / "members.csv").unlink()
    ran = mqbg("score", tiny, "--as-of", "2024-02-15", "--out", tmp_path / "scores")
    refused(ran, "members")
    assert not (tmp_path / "scores").exists()


def test_explain_names_everybody_and_sums_to_the_score(
    trained, world, scored, mqbg, monkeypatch, tmp_path
):
    monkeypatch.chdir(trained)
    best = pq.read_table(scored / AS_OF / "scores.parquet").sort_by("rank").to_pylist()[0]
    contacts = {
        row["contact_id"]: row["full_name"]
        for row in pq.read_table(world / "contacts.parquet").to_pylist()
    }
    members = pq.read_table(scored / AS_OF / "stakeholders.parquet").to_pylist()
    asked = ("explain", world, best["group_id"], "--as-of", AS_OF)
    ran = mqbg(*asked, "--full", "--json", tmp_path / "group.json")
    assert ran.status == 0
    for member in members:
        if member["group_id"] == best["group_id"]:
            assert contacts[member["contact_id"]] in ran.out
    assert f"{best['log_odds']:+.3f}" in ran.out
    document = json.loads((tmp_path / "group.json").read_text(encoding="utf-8"))
    assert document["score"]["log_odds"] == best["log_odds"]
    assert {row["contact_id"] for row in document["stakeholders"]} == {
        row["contact_id"] for row in members if row["group_id"] == best["group_id"]
    }
    short = mqbg(*asked)
    assert f"{best['log_odds']:+.3f}" not in short.out
    assert len(short.out.splitlines()) < 14  # heading, four lines, and three reasons, some wrapped
    assert short.out.splitlines()[:5] == ran.out.splitlines()[:5]


@pytest.mark.slow
def test_explain_speaks_japanese(trained, world, scored, mqbg, monkeypatch):
    monkeypatch.chdir(trained)
    group = pq.read_table(scored / AS_OF / "scores.parquet")["group_id"][0].as_py()
    ran = mqbg("explain", world, group, "--as-of", AS_OF, "--lang", "ja", "--full")
    assert "関係者" in ran.out
    assert "案件化の見込み" in ran.out


def open_at_both(scored):
    """Scores at two cut-offs by group, of groups that are open at both."""
    tables = []
    for as_of in (EARLIER, AS_OF):
        rows = pq.read_table(scored / as_of / "scores.parquet").to_pylist()
        tables.append({row["group_id"]: row for row in rows})
    return {key: (tables[0][key], tables[1][key]) for key in tables[0] if key in tables[1]}


@pytest.mark.slow
def test_explain_since_tells_what_lies_between_two_scores(
    trained, world, scored, mqbg, monkeypatch
):
    monkeypatch.chdir(trained)
    both = open_at_both(scored)
    group = max(both, key=lambda key: abs(both[key][1]["log_odds"] - both[key][0]["log_odds"]))
    ran = mqbg("explain", world, group, "--as-of", AS_OF, "--since", EARLIER)
    assert ran.status == 0
    for score in both[group]:
        assert f"{score['log_odds']:+.3f}" in ran.out
    told = [line for line in ran.out.splitlines() if re.search(r"[+-]\d\.\d{3} ", line)]
    start, *changes, end = (float(re.search(r"[+-]\d\.\d{3} ", line)[0]) for line in told)
    assert start + sum(changes) == pytest.approx(end, abs=0.001 * len(told))
    assert "Time alone" in ran.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--since", AS_OF], ["--since: expected a cut-off before --as-of 2025-06-01 00:00"]),
        (["--since", "2026-01-01"], ["got 2026-01-01 00:00"]),
        (["--since-version", "1"], ["--since-version: expected --since beside it, got '1'"]),
        (["--since", EARLIER, "--since-version", "99"], ["99"]),
        (["--since", "2000-01-01"], ["was created at", "choose another --since"]),
    ],
)
def test_explain_since_refuses_what_it_cannot_compare(
    trained, world, mqbg, monkeypatch, options, words
):
    monkeypatch.chdir(trained)
    events = pq.read_table(world / "stage_events.parquet").to_pylist()
    ended = {row["group_id"] for row in events if row["stage"] in ("opportunity", "won", "lost")}
    groups = pq.read_table(world / "buying_groups.parquet").sort_by("created_at").to_pylist()
    group = next(row["group_id"] for row in groups if row["group_id"] not in ended)
    refused(mqbg("explain", world, group, "--as-of", AS_OF, *options), *words)


def test_explain_refuses_an_unknown_group(trained, world, mqbg, monkeypatch):
    monkeypatch.chdir(trained)
    refused(mqbg("explain", world, "nobody", "--as-of", AS_OF), "'nobody'", "for instance")


def test_explain_says_why_a_group_is_not_open(trained, world, mqbg, monkeypatch):
    monkeypatch.chdir(trained)
    events = pq.read_table(world / "stage_events.parquet").to_pylist()
    after = {event["group_id"] for event in events if event["stage"] not in {"open", "opportunity"}}
    ended = [e for e in events if e["stage"] == "opportunity" and e["group_id"] not in after]
    shut = min(ended, key=lambda event: event["occurred_at"])
    ran = mqbg("explain", world, shut["group_id"], "--as-of", "2025-12-01")
    refused(ran, "opportunity", shut["group_id"])


def test_explain_refuses_an_unknown_language(trained, world, mqbg, monkeypatch):
    monkeypatch.chdir(trained)
    refused(mqbg("explain", world, "x", "--as-of", AS_OF, "--lang", "xx"), "'xx'", "en, ja")


def test_explain_knows_the_languages_of_a_folder_of_the_user(
    trained, world, mqbg, monkeypatch, tmp_path
):
    monkeypatch.chdir(trained)
    (tmp_path / "ja.toml").write_text('[labels]\nstakeholders = "キーパーソン"\n', encoding="utf-8")
    (tmp_path / "de.toml").write_text("", encoding="utf-8")
    config = tmp_path / "settings" / "mqbg.toml"
    config.parent.mkdir()
    config.write_text(f"[explain]\nlanguages_folder = '{tmp_path}'\n", encoding="utf-8")
    asked = ("explain", world, "x", "--as-of", AS_OF, "--config", config, "--lang")
    refused(mqbg(*asked, "fr"), "'fr'", "de, en, ja")
    refused(mqbg(*asked, "de"), "de.toml: missing sentence")
    refused(mqbg(*asked, "ja"), "'x'", "for instance")  # a good language: the group is missing


def test_report_refuses_a_folder_without_scores(mqbg, world, tmp_path):
    refused(mqbg("report", tmp_path, "--data", world, "--out", "pages"), "mqbg score")
    assert not (tmp_path / "pages").exists()


@pytest.mark.slow
def test_report_shows_what_changed_and_what_the_registry_keeps_of_the_training(
    trained, world, scored, mqbg, monkeypatch, tmp_path
):
    monkeypatch.chdir(trained)
    asked = ("report", scored / AS_OF, "--data", world, "--out", tmp_path / "pages", "--before")
    assert mqbg(*asked, scored / EARLIER).status == 0
    portfolio, model = (
        (tmp_path / "pages" / name).read_text() for name in ("index.html", "model.html")
    )
    assert "Change: score points since" in portfolio
    for heading in ("Do the chances come true?", "What another threshold would bring", "Versions"):
        assert f"<h2>{heading}</h2>" in model
    refused(mqbg(*asked, scored / AS_OF), "--before", "earlier")


@pytest.mark.parametrize(
    "text", ["0001-01-01", "0001-01-01T00:00+09:00", "9999-12-31T23:00-09:00", "1989-12-31"]
)
def test_a_cutoff_that_nobody_can_mean_is_refused(mqbg, tiny, tmp_path, text):
    refused(mqbg("features", tiny, "--as-of", text, "--out", tmp_path / "new" / "f.parquet"), text)
    assert not (tmp_path / "new").exists()


def test_a_folder_given_as_settings_is_refused(mqbg, tiny, tmp_path):
    refused(mqbg("check", tiny, "--config", tmp_path), str(tmp_path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[target]\nhorizon_days = 99999999999\n", "horizon_days"),
        ("[model]\nseed = -1\n", "seed"),
        ('[model]\nregistered_name = "o\'hara"\n', "registered_name"),
        ("[roles.user]\nrequired = 0\n", "at least one role"),
        (
            "[roles.user]\n[solutions.S1.roles.user]\nrequired = 0\n",
            "[solutions.S1.roles] needs at least one role",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(mqbg, tiny, tmp_path, text, words):
    (tmp_path / "mqbg.toml").write_text(text)
    refused(mqbg("check", tiny), words)


@pytest.mark.slow
def test_train_refuses_a_server_that_does_not_answer_before_any_work(mqbg, tiny, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    ran = mqbg("train", tiny)
    refused(ran, "http://127.0.0.1:9", "MLFLOW_TRACKING_URI")
    assert "mqbg.source" not in ran.err  # no table was read


def test_train_refuses_a_place_for_its_figures_before_any_work(mqbg, world, tmp_path):
    refused(mqbg("train", world, "--json", tmp_path), "add a file name")
    assert not (tmp_path / "mlruns").exists()


def test_demo_leaves_a_folder_alone_that_only_looks_like_one_of_its_own(mqbg, tmp_path):
    mine = tmp_path / "project" / "data" / "accounts.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("account_id,name\n")
    refused(mqbg("demo", "--out", tmp_path / "project"), "project")
    assert mine.read_text() == "account_id,name\n"


def test_demo_refuses_too_few_groups_before_an_earlier_one_gives_way(mqbg, tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / ".mqbg-demo").touch()
    refused(mqbg("demo", "--groups", 0), "at least 100 groups")
    assert (tmp_path / "demo" / ".mqbg-demo").exists()


def test_a_policy_by_value_needs_to_know_what_a_conversion_and_a_touch_are_worth(
    mqbg, tiny, tmp_path
):
    (tmp_path / "mqbg.toml").write_text('[thresholds]\npolicy = "value"\n')
    refused(mqbg("train", tiny), "needs gain", "cost")
    assert not (tmp_path / "mlruns").exists()
