"""`mqbg forget`, and what `mqbg score` does with the store."""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from mqbg.commands import store as store_commands
from mqbg.commands.app import main
from mqbg.commands.store import store_for, warn_if_rescored
from mqbg.contract import BadInput
from mqbg.serve.batch.score_files import read_score_tables, write_score_tables
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS
from mqbg.serve.batch.scoring import ScoreTables
from mqbg.serve.delivery.outbox.outbox_table import outbox
from mqbg.serve.delivery.targets.salesforce import stakeholder_id
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.errors import StoreFailed
from mqbg.serve.store.queries import load_latest_run
from mqbg.serve.store.save_run import save_run
from mqbg.serve.store.schema import runs as kept
from mqbg.settings import Settings, StoreSettings

JUNE, JULY = datetime(2024, 6, 1), datetime(2024, 7, 1)
DATA = {
    "accounts": "account_id,name\nA1,Orion\n",
    "contacts": (
        "contact_id,account_id,full_name,email\nC1,A1,Ann Lee,ann@example.com\nC2,A1,Sam Coy,\n"
    ),
    "solutions": "solution_id,name\nS1,Analytics\n",
    "buying_groups": "group_id,account_id,solution_id,created_at\nG1,A1,S1,2024-01-01\n",
    "members": "group_id,contact_id,role,joined_at\nG1,C1,user,2024-01-02\n",
    "activities": "activity_id,contact_id,kind,occurred_at\nE1,C1,meeting,2024-01-05\n",
    "stage_events": "group_id,stage,occurred_at\nG1,open,2024-01-01\n",
}
ROWS = {
    "scores": {
        "group_id": "G1", "account_id": "A1", "solution_id": "S1", "model_version": "1",
        "readiness": 0.9, "score": 90, "threshold": 0.5, "completeness": 1.0,
        "completeness_threshold": 0.6, "status": "nurture", "rank": 1, "top_reasons": [],
        "missing_roles": [], "single_point_of_failure": "C1",
    },
    "stakeholders": {"group_id": "G1", "contact_id": "C1", "role": "user", "points": 3.0,
                     "summary": "Ann Lee looks at prices"},
    "summaries": {"group_id": "G1", "summary": "Ann Lee carries the score"},
}  # fmt: skip


def scored_at(as_of):
    return ScoreTables(
        **{
            name: pa.Table.from_pylist(
                [{**ROWS[name], "as_of": as_of}] if name in ROWS else [], schema
            )
            for name, schema in SCORE_SCHEMAS.items()
        }
    )


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MQBG_STORE_URL", raising=False)
    return tmp_path


@pytest.fixture
def mqbg(monkeypatch, capfd):
    """Runs the command in this process; (status, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mqbg", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def score(mqbg, monkeypatch):
    """`score(day, ...)`: the command, with a job whose scores are made up."""
    from mqbg.commands import scoring
    from mqbg.features.time_rules import verdicts

    @contextmanager
    def job(*_arguments, **_options):
        yield SimpleNamespace(
            score=scored_at,
            source=None,
            check_fit=lambda *_: None,
            facts=lambda *_: {"model": {}, "data_fit": {"warnings": []}},
            capacity=lambda: None,
            model=SimpleNamespace(version="7"),
        )

    def none_known(_source, _as_of):
        import pandas as pd

        columns = ["group_id", "decided_at", "verdict", "reason", "reopened_at"]
        return pd.DataFrame(columns=columns)

    monkeypatch.setattr(scoring, "open_scoring_job", job)
    monkeypatch.setattr(verdicts, "verdicts_as_of", none_known)
    return lambda day, *more: mqbg("score", "data", "--as-of", day, "--out", "out", *more)


@pytest.fixture
def data(here):
    folder = here / "data"
    folder.mkdir()
    for table, text in DATA.items():
        (folder / f"{table}.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def pages(here):
    folder = here / "pages"
    (folder / "groups").mkdir(parents=True)
    (folder / "index.html").write_text("<td>Ann Lee</td>", encoding="utf-8")
    (folder / "groups" / "g1.html").write_text("<h1>Ann Lee</h1>", encoding="utf-8")
    return folder


def statuses():
    return read_scored_status("out")


def read_scored_status(folder):
    from pathlib import Path

    return read_score_tables(Path(folder)).scores["status"].to_pylist()


def runs():
    with open_store("sqlite:///mqbg-store.sqlite") as store, store.begin() as connection:
        return list(connection.scalars(sa.select(kept.c.as_of).order_by(kept.c.as_of)))


def test_score_keeps_its_run_in_the_store_and_writes_the_status_of_the_states(score):
    status, out, err = score("2024-06-01")
    assert (status, err) == (0, "")
    assert out.startswith("1 groups scored into out\n")
    assert "1 changed its state; kept in sqlite:///" in out
    assert statuses() == ["qualified"]
    assert runs() == [JUNE]


def test_score_keeps_a_day_of_the_past_out_of_the_store_until_told_to_replay(score):
    score("2024-07-01")
    status, out, err = score("2024-06-01")
    assert (status, out) == (0, "1 groups scored into out\n")
    assert "--replay to drop the 1 later run" in err
    assert statuses() == ["nurture"]  # as the model's line has it
    assert runs() == [JULY]
    assert score("2024-06-01", "--replay")[0] == 0
    assert runs() == [JUNE]


def test_score_without_the_store_writes_the_folder_alone(score, here):
    status, out, _ = score("2024-06-01", "--no-store", "--json", "run.json")
    assert (status, out) == (0, "1 groups scored into out\n")
    assert json.loads((here / "run.json").read_text())["changed_states"] is None
    assert statuses() == ["nurture"]  # as the model's line has it
    assert not (here / "mqbg-store.sqlite").exists()


def test_a_store_that_is_turned_off_is_not_made(score, here):
    (here / "mqbg.toml").write_text('[store]\nurl = ""\n')
    assert score("2024-06-01")[0] == 0
    assert not (here / "mqbg-store.sqlite").exists()


def test_the_environment_says_where_the_store_is(score, here, monkeypatch):
    monkeypatch.setenv("MQBG_STORE_URL", "sqlite:///elsewhere.sqlite")
    score("2024-06-01")
    assert (here / "elsewhere.sqlite").exists()
    assert not (here / "mqbg-store.sqlite").exists()


def test_a_second_job_is_refused(score):
    with store_for(Settings(), JUNE):
        status, _, err = score("2024-06-01")
    assert status == 2
    assert "(a job as of 2024-06-01 00:00) holds it" in err


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StoreFailed("store x: gone"), "store x: gone"),
        (OSError(28, "No space left on device"), "the disk is full"),
    ],
)
def test_what_other_input_cannot_mend_ends_with_status_1(mqbg, monkeypatch, error, sentence):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(store_commands, "_url_of_store", fail)
    status, _, err = mqbg("forget", "C1")
    assert status == 1
    assert err.startswith(sentence)


def test_forget_says_what_it_removed_and_where(score, mqbg, data, pages):
    score("2024-06-01")
    status, out, err = mqbg(
        "forget", "C1", "--data", data, "--scores", "out", "--pages", pages
    )  # fmt: skip
    assert status == 0
    store, tables, of_pages = out.splitlines()
    counts = "scores pointers 1, stakeholders rows 1, summaries texts 1"
    assert store.startswith("store sqlite:///")
    assert store.endswith(counts)
    assert tables == f"tables out: {counts}"
    assert of_pages == f"pages {pages}: pages changed 1, pages removed 1"
    assert "the data still has contact 'C1': delete the person there too" in err
    assert "Ann" not in (pages / "index.html").read_text()


def test_forget_checks_everything_before_it_removes_anything(score, mqbg, here):
    score("2024-06-01")
    before = (here / "out" / "stakeholders.parquet").read_bytes()
    status, _, err = mqbg("forget", "C1", "--name", "Ann", "--scores", "out", "--pages", "out")
    assert status == 2
    assert "expected a folder that `mqbg report` wrote" in err
    assert (here / "out" / "stakeholders.parquet").read_bytes() == before
    status, out, _ = mqbg("forget", "C1", "--name", "Ann", "--scores", "out")
    assert [line.partition(":")[2].count("stakeholders rows 1") for line in out.splitlines()] == [
        1, 1
    ]  # fmt: skip


def test_after_forget_no_file_and_no_database_names_the_person(score, mqbg, data, pages, here):
    """The id, the name and the address: in bytes, and in the rows of tables."""
    score("2024-06-01")
    (here / "mqbg-push.jsonl").write_text('{"id":"G1","summary":"Ann Lee carries the score"}\n')
    (here / "refused.csv").write_text("id,reason\nG1,ann@example.com bounced\nC1,unknown\n")
    sent = {
        "target": "salesforce", "kind": "member", "object_id": stakeholder_id("G1", "C1"),
        "payload": '{"Name": "Ann Lee"}', "payload_hash": "1", "sent_hash": "1", "state": "sent",
        "attempts": 0, "remote_id": "0031x",
    }  # fmt: skip
    with open_store("sqlite:///mqbg-store.sqlite") as store, store.begin() as connection:
        connection.execute(sa.insert(outbox), [sent])
    assert naming(here, data)
    status, out, _ = mqbg(
        "forget", "C1", "--data", data, "--scores", "out", "--pages", pages, "--also", "refused.csv"
    )
    assert status == 0
    assert "sent, and to be deleted there: salesforce: member G1 (id 0031x)" in out
    assert naming(here, data) == []


def naming(folder, data):
    """Files below a folder, but for the data, that hold the id, the name or the address."""
    found = []
    for path in (p for p in folder.rglob("*") if p.is_file() and data not in p.parents):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content = str(pq.read_table(path).to_pylist()).encode()
        if re.search(rb"\bC1\b|Ann Lee|ann@example\.com", content):
            found.append(path.name)
    return found


def test_forget_finds_nobody_and_says_so(score, mqbg):
    score("2024-06-01")
    status, out, err = mqbg("forget", "C9", "--scores", "out")
    assert status == 0
    assert [line.rsplit(": ")[1] for line in out.splitlines()] == ["nothing", "nothing"]
    assert "no trace of contact 'C9' was found; make sure that this is the id" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["C1"], "expected something to clear"),
        (["  "], "expected the contact_id of a person"),
        (["C1", "--store", "sqlite:///absent.sqlite"], "expected a store at sqlite:///absent"),
        (["C1", "--pages", "."], "expected a name, as pages and pushed texts call people"),
        (["C1", "--scores", "."], "expected a folder that `mqbg score` wrote"),
    ],
)
def test_forget_refuses_what_it_cannot_do(mqbg, arguments, sentence):
    status, _, err = mqbg("forget", *arguments)
    assert status == 2
    assert sentence in err


def test_forget_takes_names_from_the_command_line(mqbg, here):
    write_score_tables(scored_at(JUNE), here)
    status, out, _ = mqbg("forget", "unknown", "--name", "Ann Lee", "--scores", here)
    assert status == 0
    assert out == f"tables {here}: stakeholders texts 1, summaries texts 1\n"


def test_settings_say_how_long_to_wait_for_the_file(monkeypatch):
    settings = Settings(store=StoreSettings(lock_timeout_seconds=1.5))
    with store_for(settings, JUNE) as store:
        assert store.lock_timeout_seconds == 1.5
        with store.begin() as connection:
            assert load_latest_run(connection) is None
    with store_for(settings, JUNE, use=False) as store:
        assert store is None


def test_a_job_that_comes_too_early_is_refused_before_it_begins(score):
    score("2024-07-01")
    with pytest.raises(BadInput, match="at or after its latest run"), store_for(Settings(), JUNE):
        pass


def with_log_odds(scored, value):
    scores = scored.scores
    place = scores.schema.get_field_index("log_odds")
    column = pa.array([value] * scores.num_rows)
    return replace(scored, scores=scores.set_column(place, scores.schema.field(place), column))


def test_explain_says_where_the_data_changed_since_a_group_was_scored(here, caplog):
    before = with_log_odds(scored_at(JUNE), 0.5)
    verdicts = pd.DataFrame(columns=["group_id", "decided_at", "verdict", "reason", "reopened_at"])
    with (
        store_for(Settings(), JUNE) as store,
        save_run(store, before, verdicts, Settings(), JUNE),
    ):
        pass
    warn_if_rescored(Settings(), before)
    assert not caplog.text
    warn_if_rescored(Settings(), with_log_odds(before, 0.25))
    assert "the data has changed since" in caplog.text
