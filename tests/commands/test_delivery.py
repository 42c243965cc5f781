"""`mqbg push` and `mqbg run` as people run them."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from mqbg.commands.app import main
from mqbg.features import time_rules
from mqbg.model.data_fit import DataFit
from mqbg.serve.batch import scoring_job as job
from mqbg.serve.batch.score_files import write_score_tables
from mqbg.serve.delivery.alerts.messages import FORMATTERS

sys.path.insert(0, str(Path(__file__).parents[1] / "serve" / "delivery"))  # crm.py and world.py

from crm import TOKEN, Crm, standing_in
from world import scored

AS_OF = datetime(2025, 3, 1)
NO_VERDICTS = pd.DataFrame(columns=["group_id", "decided_at", "verdict", "reason", "reopened_at"])


@pytest.fixture
def crm(monkeypatch):
    monkeypatch.setenv("MQBG_HUBSPOT_TOKEN", TOKEN)
    with standing_in(Crm()) as running:
        monkeypatch.setenv("MQBG_SLACK_URL", f"{running.url}/hook/slack")
        yield running


@pytest.fixture
def mqbg(monkeypatch, capfd, tmp_path, crm):
    """Runs the command in this process, in a folder with settings and scores."""
    monkeypatch.delenv("MQBG_STORE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("mqbg.toml").write_text(
        f'[push.hubspot]\nurl = "{crm.url}"\nrequests_per_10_seconds = 10000\ntries = 1\n'
        '[push.jsonl]\npath = "-"\n'
        '[alerts]\nchannels = ["slack"]\nlink = "https://pages.example/{page}"\n'
    )
    Path("scores").mkdir()
    write_score_tables(scored(5, AS_OF), Path("scores"))

    def run(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["mqbg", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return SimpleNamespace(
            status=int(ended.value.code or 0), out=captured.out, err=captured.err
        )

    return run


def test_a_push_says_what_it_did(mqbg, crm):
    done = mqbg("push", "scores", "--to", "hubspot")
    assert (done.status, done.out) == (0, "")
    assert "hubspot: 5 changed, 5 accepted, 0 rejected" in done.err
    assert "0 changed, 0 accepted" in mqbg("push", "scores", "--to", "hubspot").err
    assert len(crm.of("deals")) == 5


def test_a_rejected_record_ends_with_status_1_and_is_listed(mqbg, crm):
    crm.never["g3"] = "=HYPERLINK(x)"
    done = mqbg("push", "scores", "--to", "hubspot", "--rejected", "no.csv")
    assert done.status == 1
    assert "1 rejected" in done.err
    text = Path("no.csv").read_text(encoding="utf-8-sig")
    (row,) = csv.DictReader(text.splitlines())
    assert row["object_id"] == "g3"
    assert row["last_error"] == "'=HYPERLINK(x)"
    assert row["attempts"] == "1"


def test_a_dry_run_shows_fields_and_sends_nothing(mqbg, crm):
    first = mqbg("push", "scores", "--to", "hubspot", "--dry-run")
    assert first.status == 0
    assert 'group g0 mqbg_status: nothing -> "' in first.out
    assert not crm.seen
    assert not Path("mqbg-store.sqlite").exists()
    mqbg("push", "scores", "--to", "hubspot")
    write_score_tables(scored(5, AS_OF, score=77), Path("scores"))
    again = mqbg("push", "scores", "--to", "hubspot", "--dry-run")
    assert '-> "77"' in again.out
    assert "5 fields of 5 records would change at hubspot" in again.out
    assert sum(crm.seen.values()) == 1


def test_a_dry_run_needs_no_secret(mqbg, monkeypatch):
    monkeypatch.delenv("MQBG_HUBSPOT_TOKEN")
    assert mqbg("push", "scores", "--to", "hubspot", "--dry-run").status == 0


def let_one_die(crm) -> None:
    """Settings with a single attempt, and a record that HubSpot refuses."""
    text = Path("mqbg.toml").read_text()
    Path("mqbg.toml").write_text(f"[push]\nmax_attempts = 1\n{text}")
    crm.never["g3"] = "deal was merged"


def test_dead_records_come_back_when_asked(mqbg, crm):
    let_one_die(crm)
    assert "1 dead" in mqbg("push", "scores", "--to", "hubspot").err
    crm.never.clear()
    assert "0 accepted" in mqbg("push", "scores", "--to", "hubspot").err
    done = mqbg("push", "scores", "--to", "hubspot", "--retry-dead")
    assert done.status == 0
    assert "1 accepted" in done.err


def test_prepare_makes_properties_first(mqbg, crm):
    crm.properties["deals"] = set()
    assert mqbg("push", "scores", "--to", "hubspot", "--prepare").status == 0
    assert "mqbg_group_id" in crm.properties["deals"]


def test_stdout_holds_nothing_but_lines(mqbg):
    done = mqbg("push", "scores", "--to", "jsonl")
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == [
        "g0", "g1", "g2", "g3", "g4",
    ]  # fmt: skip


def test_an_expired_token_names_its_variable(mqbg, crm):
    crm.locked = True
    done = mqbg("push", "scores", "--to", "hubspot")
    assert done.status == 1
    assert "MQBG_HUBSPOT_TOKEN" in done.err
    assert TOKEN not in done.err
    assert "5 left for the next run" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("scores", "--to", "fax"), "expected --to hubspot, salesforce"),
        (("nothing", "--to", "hubspot"), "could not read scores.parquet"),
        (("scores", "--to", "sql"), "MQBG_PUSH_SQL_URL, which is not set"),
    ],
)
def test_bad_input_ends_with_status_2(mqbg, monkeypatch, arguments, said):
    monkeypatch.delenv("MQBG_PUSH_SQL_URL", raising=False)
    done = mqbg("push", *arguments)
    assert done.status == 2
    assert said in done.err.replace("\n", " ")


def test_a_second_job_learns_who_holds_the_store(mqbg, tmp_path):
    from mqbg.serve.store.connection import open_store
    from mqbg.serve.store.job_lock import hold_job_lock

    with (
        open_store(f"sqlite:///{tmp_path}/mqbg-store.sqlite") as store,
        hold_job_lock(store, "a night"),
    ):
        done = mqbg("push", "scores", "--to", "hubspot")
    assert done.status == 2
    assert "(a night) holds it" in done.err


@pytest.fixture
def nights(monkeypatch):
    """Scores that the job finds, by call; no model is needed."""
    tables = []

    @contextmanager
    def opened(*_arguments, **_options):
        yield SimpleNamespace(
            score=lambda _at: tables.pop(0),
            source=None,
            check_fit=lambda *_: DataFit(),
            facts=lambda *_: {"model": {"measured": True}, "data_fit": DataFit().values()},
            capacity=lambda: None,
        )

    monkeypatch.setattr(job, "scoring_job", opened)
    monkeypatch.setattr(time_rules.verdicts, "verdicts_as_of", lambda *_: NO_VERDICTS)
    return tables


def night(*arguments) -> tuple[object, ...]:
    return ("run", "data", "--as-of", "2025-03-01", "--out", "out", *arguments)


def test_a_run_scores_pushes_and_tells(mqbg, crm, nights):
    nights.append(scored(5, AS_OF, readiness=0.9, completeness=1.0))
    done = mqbg(*night("--to", "hubspot", "--to", "jsonl", "--json", "done.json"))
    assert done.status == 0
    assert "slack: 1 changed, 1 accepted" in done.err
    assert {row["mqbg_status"] for row in crm.of("deals").values()} == {"qualified"}
    assert len(crm.posted) == 1
    assert "https://pages.example/g0-" in crm.posted[0][1].decode()
    told = json.loads(Path("done.json").read_text())
    assert [one["accepted"] for one in told["pushed"]] == [5, 5, 1]
    assert told["model"] == {"measured": True}
    assert told["data_fit"]["warnings"] == []


def test_a_run_repeated_does_nothing_twice(mqbg, crm, nights):
    for _ in range(2):
        nights.append(scored(5, AS_OF, readiness=0.9, completeness=1.0))
        done = mqbg(*night("--to", "hubspot"))
    assert "hubspot: 0 changed, 0 accepted" in done.err
    assert len(crm.posted) == 1


def test_a_target_that_fails_stops_neither_the_others_nor_the_alerts(mqbg, crm, nights):
    crm.locked = True
    nights.append(scored(5, AS_OF, readiness=0.9, completeness=1.0))
    done = mqbg(*night("--to", "hubspot", "--to", "jsonl"))
    assert done.status == 1
    assert "jsonl: 5 changed, 5 accepted" in done.err
    assert len(crm.posted) == 1


def test_a_run_looks_for_secrets_before_it_scores(mqbg, monkeypatch, nights):
    monkeypatch.delenv("MQBG_SLACK_URL")
    done = mqbg(*night("--to", "hubspot"))
    assert done.status == 2
    assert "MQBG_SLACK_URL" in done.err


def test_a_target_or_channel_that_is_named_twice_is_refused_before_it_scores(mqbg, nights):
    done = mqbg(*night("--to", "hubspot", "--to", "jsonl", "--to", "hubspot"))
    assert done.status == 2
    assert "expected every target once, got --to with hubspot" in done.err.replace("\n", " ")
    settings = Path("mqbg.toml")
    settings.write_text(settings.read_text().replace('["slack"]', '["slack", "slack"]'))
    done = mqbg(*night("--to", "hubspot"))
    assert done.status == 2
    assert "expected every channel once" in done.err.replace("\n", " ")


def add_dynamics(crm, monkeypatch) -> None:
    """Settings and secrets of Dynamics, whose login the stand-in answers."""
    monkeypatch.setenv("MQBG_DYNAMICS_CLIENT_ID", "app")
    monkeypatch.setenv("MQBG_DYNAMICS_CLIENT_SECRET", "hush")
    with Path("mqbg.toml").open("a") as settings:
        settings.write(
            f'[push.dynamics]\nurl = "{crm.url}"\ntenant = "t"\nlogin_url = "{crm.url}"\n'
        )


def test_scoring_comes_before_any_login(mqbg, crm, nights, monkeypatch):
    add_dynamics(crm, monkeypatch)
    nights.append(scored(5, AS_OF))
    scored_before_login = []

    def look(_method, path, _body):
        if path.endswith("/token"):
            scored_before_login.append(Path("out", "scores.parquet").is_file())
        return

    crm.override = look
    assert mqbg(*night("--to", "dynamics")).status == 0
    assert scored_before_login == [True]


def test_the_store_is_free_while_a_login_waits(mqbg, crm, nights, monkeypatch, tmp_path):
    from mqbg.serve.store.connection import open_store
    from mqbg.serve.store.job_lock import hold_job_lock

    add_dynamics(crm, monkeypatch)
    nights.append(scored(5, AS_OF))
    held = []

    def take_the_lock(_method, path, _body):
        if path.endswith("/token"):
            with (
                open_store(f"sqlite:///{tmp_path}/mqbg-store.sqlite") as store,
                hold_job_lock(store, "another job"),
            ):
                held.append(True)
        return

    crm.override = take_the_lock
    assert mqbg(*night("--to", "dynamics")).status == 0
    assert held == [True]


def test_no_exception_of_a_target_or_a_channel_stops_the_others(mqbg, crm, nights, monkeypatch):
    def broken(*_arguments, **_options):
        raise ZeroDivisionError("hidden")

    monkeypatch.setattr("mqbg.serve.delivery.targets.hubspot.upsert_batch", broken)
    monkeypatch.setattr("mqbg.serve.delivery.nightly_job.enqueue_alerts", broken)
    nights.append(scored(5, AS_OF, readiness=0.9, completeness=1.0))
    done = mqbg(*night("--to", "hubspot", "--to", "jsonl", "--json", "done.json"))
    assert done.status == 1
    assert "jsonl: 5 changed, 5 accepted" in done.err
    assert "slack: stopped by an unexpected ZeroDivisionError" in done.err
    assert "Traceback" not in done.err
    assert "hidden" not in done.err
    told = json.loads(Path("done.json").read_text())
    assert told["status"] == 1
    assert [bool(one["stopped"]) for one in told["pushed"]] == [True, False, True]


def test_a_channel_that_breaks_keeps_no_message_from_the_next_one(mqbg, crm, nights, monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError("hidden")

    monkeypatch.setitem(FORMATTERS, "slack", broken)
    monkeypatch.setenv("MQBG_TEAMS_URL", f"{crm.url}/hook/teams")
    settings = Path("mqbg.toml")
    settings.write_text(settings.read_text().replace('["slack"]', '["slack", "teams"]'))
    nights.append(scored(5, AS_OF, readiness=0.9, completeness=1.0))
    done = mqbg(*night("--to", "jsonl"))
    assert done.status == 1
    assert "slack: stopped by an unexpected ZeroDivisionError" in done.err
    assert "teams: 1 changed, 1 accepted" in done.err
    assert crm.seen == {"POST /hook/teams": 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "data", "--as-of", "some day", "--out", "out"), "some day"),
        (night("--to", "fax"), "expected --to hubspot"),
        (night("--to", "sql"), "MQBG_PUSH_SQL_URL"),
    ],
)
def test_the_summary_is_written_with_the_reason_when_the_input_is_bad(
    mqbg, monkeypatch, arguments, said
):
    monkeypatch.delenv("MQBG_PUSH_SQL_URL", raising=False)
    assert mqbg(*arguments, "--json", "done.json").status == 2
    told = json.loads(Path("done.json").read_text())
    assert told["status"] == 2
    assert said in told["error"]


def test_the_summary_is_written_when_the_scoring_fails(mqbg, nights, monkeypatch):
    nights.clear()  # the job finds no scores: an error that nobody foresaw
    monkeypatch.setattr(sys, "argv", list(map(str, ("mqbg", *night("--json", "done.json")))))
    with pytest.raises((SystemExit, IndexError)):
        main()
    told = json.loads(Path("done.json").read_text())
    assert (told["status"], told["pushed"]) == (1, [])
    assert told["error"]


def test_dead_records_are_listed_by_every_run_and_never_end_green(mqbg, crm):
    let_one_die(crm)
    for _ in range(2):
        done = mqbg("push", "scores", "--to", "hubspot")
        assert done.status == 1
        assert "dead: g3: deal was merged" in done.err


def test_dead_records_end_a_run_with_status_1_too(mqbg, crm, nights):
    let_one_die(crm)
    for _ in range(2):
        nights.append(scored(5, AS_OF))
        done = mqbg(*night("--to", "hubspot"))
        assert done.status == 1
        assert "dead: g3: deal was merged" in done.err


def to_webhook(monkeypatch, address: str) -> tuple[str, ...]:
    monkeypatch.setenv("MQBG_WEBHOOK_URL", address)
    monkeypatch.setenv("MQBG_WEBHOOK_SECRET", "hush")
    return ("push", "scores", "--to", "webhook")


def test_a_target_that_moved_is_refused_with_the_choice(mqbg, crm, monkeypatch):
    assert mqbg(*to_webhook(monkeypatch, f"{crm.url}/hook/old?sig=1")).status == 0
    again = mqbg(*to_webhook(monkeypatch, f"{crm.url}/hook/old?sig=2"))
    assert "0 changed, 0 accepted" in again.err
    crm.held.clear()
    moved = to_webhook(monkeypatch, f"{crm.url}/hook/new?sig=2")
    refused = mqbg(*moved)
    assert refused.status == 2
    assert "--resend-all" in refused.err
    assert not crm.held
    assert "5 accepted" in mqbg(*moved, "--resend-all").err
    assert len(crm.of("hook")) == 5
    assert "0 changed, 0 accepted" in mqbg(*moved).err


def test_a_target_that_was_never_reached_may_move(mqbg, crm, monkeypatch):
    with Path("mqbg.toml").open("a") as settings:
        settings.write("[push.webhook]\ntries = 1\n")
    assert mqbg(*to_webhook(monkeypatch, "http://127.0.0.1:9/hook")).status == 1
    assert "5 accepted" in mqbg(*to_webhook(monkeypatch, f"{crm.url}/hook/new")).err


def test_a_file_of_json_lines_that_was_deleted_is_noticed(mqbg):
    text = Path("mqbg.toml").read_text()
    Path("mqbg.toml").write_text(text.replace('path = "-"', 'path = "lines.jsonl"'))
    assert mqbg("push", "scores", "--to", "jsonl").status == 0
    Path("lines.jsonl").unlink()
    refused = mqbg("push", "scores", "--to", "jsonl")
    assert refused.status == 2
    assert "a file that is gone" in refused.err
    assert mqbg("push", "scores", "--to", "jsonl", "--resend-all").status == 0
    assert len(Path("lines.jsonl").read_text().splitlines()) == 5


@pytest.mark.parametrize("changed", [0.0, 1.0], ids=["nothing changed", "everything changed"])
def test_an_older_folder_is_refused_unless_it_is_meant(mqbg, crm, changed):
    mqbg("push", "scores", "--to", "hubspot")
    later = scored(5, datetime(2025, 3, 3), seed=1, change=changed)
    write_score_tables(later, Path("scores"))
    assert mqbg("push", "scores", "--to", "hubspot").status == 0
    write_score_tables(scored(5, datetime(2025, 3, 2), score=7), Path("scores"))
    refused = mqbg("push", "scores", "--to", "hubspot")
    assert refused.status == 2
    assert "as of 2025-03-03" in refused.err
    assert "--allow-older" in refused.err
    done = mqbg("push", "scores", "--to", "hubspot", "--allow-older")
    assert done.status == 0
    assert {row["mqbg_score"] for row in crm.of("deals").values()} == {"7"}
