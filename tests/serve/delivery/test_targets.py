"""Every other target: what it sends, what it makes of the answers, what it never repeats."""

from __future__ import annotations

import csv
import io
import json
import socket
from contextlib import closing
from datetime import datetime

import pytest
import sqlalchemy as sa
from crm import Mood
from mqbg.contract import BadInput
from mqbg.serve.delivery.outbox import outbox
from mqbg.serve.delivery.outbox.deliver import deliver
from mqbg.serve.delivery.outbox.outbox_table import outbox as table
from mqbg.serve.delivery.targets import sql as sql_target
from mqbg.serve.delivery.targets.open_target import RECORD_BUILDERS, open_target
from mqbg.serve.delivery.targets.salesforce import stakeholder_id
from mqbg.serve.delivery.targets.salesforce_bulk import BulkJob
from mqbg.serve.delivery.targets.salesforce_bulk import job_csv as bulk_table
from mqbg.serve.delivery.targets.target import OutboxRecord, PushInputs
from mqbg.serve.delivery.targets.webhook import signature
from mqbg.serve.store import postgres
from mqbg.settings import Settings
from mqbg.settings.delivery import (
    DynamicsSettings,
    JsonLinesSettings,
    PushSettings,
    SalesforceSettings,
    SqlSettings,
    WebhookSettings,
)
from world import scored

NOW = datetime(2025, 3, 1, 5)
QUICK = {
    "requests_per_10_seconds": 100_000, "timeout_seconds": 5.0, "wait_seconds": 0.01, "tries": 8,
}  # fmt: skip
BAD = Mood(0.1, 0.1, 0.1, 0.1, 0.0, 0.05, 0.0)


@pytest.fixture
def push(store, patience):
    """`push(name, settings, scored, previous=)` plans and delivers."""

    def run(name, settings, tables, previous=None):
        with open_target(name, settings, unix_clock=lambda: 1_700_000_000.9) as target:
            with store.begin() as connection:
                records = RECORD_BUILDERS[name](PushInputs(tables, previous or {}), settings)
                outbox.enqueue_changes(connection, name, records, patience)
            return deliver(store, target, now=NOW, retry_policy=patience)

    return run


def payloads(store, kind="group") -> dict[str, dict]:
    query = sa.select(table.c.object_id, table.c.payload).where(table.c.kind == kind)
    with store.begin() as connection:
        return {row.object_id: json.loads(row.payload) for row in connection.execute(query)}


# Webhook


def webhook(monkeypatch, crm, path="/hook/x?sig=hidden", **own) -> Settings:
    monkeypatch.setenv("MQBG_WEBHOOK_URL", crm.url + path)
    return Settings(push=PushSettings(webhook=WebhookSettings(**(QUICK | own))))


def test_a_webhook_gets_every_field_signed(stand, push, monkeypatch):
    crm = stand()
    done = push("webhook", webhook(monkeypatch, crm), scored(3))
    assert done.accepted == 3
    headers, body = crm.posted[0]
    assert headers["X-MQBG-Timestamp"] == "1700000000"
    assert headers["X-MQBG-Signature"] == signature("hush", "1700000000", body)
    row = json.loads(body)["records"][0]
    assert row["group_id"] == "g0"
    assert row["top_reasons"] == ["Engagement raises the score.", "=1+1 & more"]
    assert row["as_of"] == "2025-03-01T00:00:00Z"
    assert isinstance(row["score"], int)
    assert row["summary"].startswith("Stands at")


def test_the_same_body_has_the_same_key(stand, push, monkeypatch):
    crm = stand(mood=Mood(lost=0.5), seed=5)
    push("webhook", webhook(monkeypatch, crm, batch=2, connections=1), scored(8))
    keys = {}
    for headers, body in crm.posted:
        keys.setdefault(body, set()).add(headers["Idempotency-Key"])
    assert len(crm.posted) > len(keys) == 4
    assert all(len(found) == 1 for found in keys.values())


def test_a_webhook_names_what_it_rejects_and_halves_find_the_rest(stand, push, monkeypatch):
    crm = stand(never={"g1": "unknown group"}, poison={"g5"})
    done = push("webhook", webhook(monkeypatch, crm), scored(8))
    assert done.rejected == (("g1", "unknown group"), ("g5", "status 422: no"))
    assert done.accepted == 6


def test_a_webhook_in_a_bad_mood_ends_with_all_of_it(stand, push, monkeypatch, store):
    crm = stand(mood=BAD, seed=2)
    settings = webhook(monkeypatch, crm, batch=5)
    for _ in range(4):
        push("webhook", settings, scored(60))
    assert crm.of("hook") == payloads(store)


def test_a_webhooks_address_is_a_secret(push, monkeypatch, store, caplog, capfd):
    import logging

    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MQBG_WEBHOOK_URL", "http://127.0.0.1:9/hidden")
    settings = Settings(push=PushSettings(webhook=WebhookSettings(**(QUICK | {"tries": 2}))))
    done = push("webhook", settings, scored(2))
    shown = f"{done} {caplog.text} {capfd.readouterr()} {payloads(store)}"
    assert "hidden" not in shown


@pytest.mark.parametrize(("value", "said"), [("", "is not set"), ("ftp://x", "something else")])
def test_a_webhook_without_an_address_says_so(push, monkeypatch, value, said):
    monkeypatch.setenv("MQBG_WEBHOOK_URL", value)
    with pytest.raises(BadInput, match=said):
        push("webhook", Settings(), scored(1))


# JSON lines


def jsonl(path) -> Settings:
    return Settings(push=PushSettings(jsonl=JsonLinesSettings(str(path))))


def lines(path) -> dict[str, dict]:
    return {row["id"]: row for row in map(json.loads, path.read_text("utf-8").splitlines())}


def test_the_file_holds_every_group_once(push, tmp_path, store):
    path = tmp_path / "out" / "push.jsonl"
    push("jsonl", jsonl(path), scored(["b", "a"]))
    push("jsonl", jsonl(path), scored(["b", "c"], seed=1))
    found = lines(path)
    assert list(found) == ["a", "b", "c"]
    assert found == {key: {"id": key, **row} for key, row in payloads(store).items()}


def test_a_line_never_breaks(push, tmp_path):
    path = tmp_path / "push.jsonl"
    push("jsonl", jsonl(path), scored(["a\u2028b\x85c"]))
    assert list(lines(path)) == ["a\u2028b\x85c"]


def test_stdout_gets_what_changed(push, capsys):
    settings = jsonl("-")
    push("jsonl", settings, scored(2))
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["g0", "g1"]
    push("jsonl", settings, scored(3))
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["g2"]


def test_a_file_of_somebody_else_is_left_alone(push, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n")
    with pytest.raises(BadInput, match="expected lines of an earlier push"):
        push("jsonl", jsonl(path), scored(1))
    assert path.read_text() == "my notes\n"


# Salesforce


def salesforce(crm, **own) -> Settings:
    return Settings(
        push=PushSettings(salesforce=SalesforceSettings(url=crm.url, bulk_poll_seconds=0.01, **own))
    )


def test_salesforce_takes_200_at_a_time_and_answers_for_each(stand, push, store):
    crm = stand(never={"g7": "entity is deleted"})
    done = push("salesforce", salesforce(crm, **QUICK), scored(450))
    assert done.accepted == 449
    assert done.rejected == (("g7", "ENTITY_IS_DELETED: entity is deleted"),)
    assert sum(crm.seen.values()) == 3
    wanted = payloads(store)
    del wanted["g7"]
    assert crm.of("Opportunity") == wanted
    assert crm.of("Opportunity")["g0"]["MQBG_Top_Reasons__c"] == (
        "Engagement raises the score.; =1+1 & more"
    )
    assert crm.problems == []


def test_many_records_go_in_bulk_and_to_the_same_end(stand, push, store):
    crm = stand(never={"g7": "entity is deleted"})
    done = push("salesforce", salesforce(crm, bulk_above=300, **QUICK), scored(450))
    assert (done.accepted, len(done.rejected)) == (449, 1)
    assert len(crm.jobs) == 1
    wanted = {
        key: {name: None if value in ("", None) else str(value) for name, value in row.items()}
        for key, row in payloads(store).items()
        if key != "g7"
    }
    assert crm.of("Opportunity") == wanted


def test_bulk_and_composite_leave_texts_as_they_are(stand, push):
    crm = stand()
    tables = scored(['=1+1,"x"\ny', "+2", "-3", "@x"])
    push("salesforce", salesforce(crm, bulk_above=0, **QUICK), tables)
    assert set(crm.of("Opportunity")) == {'=1+1,"x"\ny', "+2", "-3", "@x"}


def test_ids_with_line_breaks_have_outcomes_of_their_own_in_bulk(stand, push):
    broken = ["a\nb", "a\u2028b", 'a"\r\n,b']
    crm = stand(never={"a\nb": "entity is deleted"})
    tables = scored([*broken, *(f"g{number}" for number in range(300))])
    done = push("salesforce", salesforce(crm, bulk_above=0, **QUICK), tables)
    assert len(crm.jobs) == 1
    assert done.accepted == 302
    assert done.rejected == (("a\nb", "entity is deleted"),)


def test_the_csv_of_a_bulk_job_empties_what_is_absent():
    items = [OutboxRecord("group", "g1", '{"A":null,"B":0,"C":""}')]
    rows = list(csv.reader(io.StringIO(bulk_table(BulkJob("O", "K", "/x"), items).decode())))
    assert rows == [["K", "A", "B", "C"], ["g1", "#N/A", "0", "#N/A"]]


def test_stakeholders_are_records_of_their_own(stand, push, store):
    crm = stand()
    own = {"member_object": "Committee__c", "member_contact": "Contact__r"} | QUICK
    done = push("salesforce", salesforce(crm, **own), scored(3, members=2))
    assert done.accepted == 9
    member = crm.of("Committee__c")[stakeholder_id("g1", "g1-c0")]
    assert member["MQBG_Group__r"] == {"MQBG_Group_Id__c": "g1"}
    assert member["Contact__r"] == {"MQBG_Contact_Id__c": "g1-c0"}
    assert isinstance(member["MQBG_Points__c"], float)


def test_ids_of_stakeholders_are_different_for_every_pair():
    assert stakeholder_id("a:b", "c") != stakeholder_id("a", "b:c")


def test_salesforce_in_a_bad_mood_ends_with_all_of_it(stand, push, store):
    crm = stand(mood=BAD, seed=4)
    for _ in range(4):
        push("salesforce", salesforce(crm, **QUICK), scored(500))
    assert crm.of("Opportunity") == payloads(store)


def test_salesforce_needs_an_address(push):
    with pytest.raises(BadInput, match=r"\[push.salesforce\] url"):
        push("salesforce", Settings(), scored(1))


# Dynamics 365


def dynamics(crm, **own) -> Settings:
    return Settings(push=PushSettings(dynamics=DynamicsSettings(url=crm.url, **(QUICK | own))))


def test_dynamics_gets_score_grade_and_trend(stand, push):
    crm = stand()
    tables = scored(["up", "same", "down", "new"], score=60)
    done = push("dynamics", dynamics(crm), tables, {"up": 50, "same": 61, "down": 70})
    assert done.accepted == 4
    trends = {
        key.split("'")[1]: (row["msdyn_score"], row["msdyn_grade"], row["msdyn_scoretrend"])
        for key, row in crm.of("scores").items()
    }
    assert trends == {"up": (60, 1, 0), "same": (60, 1, 1), "down": (60, 1, 2), "new": (60, 1, 3)}
    assert crm.problems == []


@pytest.mark.parametrize(
    ("score", "grade"), [(100, 0), (75, 0), (74, 1), (50, 1), (49, 2), (25, 2), (24, 3), (0, 3)]
)
def test_grades_begin_at_their_lowest_score(stand, push, score, grade):
    crm = stand()
    push("dynamics", dynamics(crm), scored(1, score=score))
    (row,) = crm.of("scores").values()
    assert row["msdyn_grade"] == grade


def test_a_derived_id_is_the_same_every_night(stand, push):
    crm = stand()
    settings = dynamics(crm, key="derived")
    push("dynamics", settings, scored(2))
    first = set(crm.of("scores"))
    push("dynamics", settings, scored(2, seed=1))
    assert set(crm.of("scores")) == first
    row = crm.of("scores")[sorted(first)[0]]
    assert row["msdyn_entitytype"] == "opportunity"


def test_quotes_in_a_group_id_stay_within_the_key(stand, push):
    crm = stand()
    push("dynamics", dynamics(crm), scored(["o'b/1?x=%2"]))
    assert list(crm.of("scores")) == ["msdyn_entityid='o''b/1?x=%2',msdyn_entitytype='opportunity'"]


def test_an_application_logs_in_with_its_secret(stand, push, monkeypatch):
    crm = stand()
    monkeypatch.delenv("MQBG_DYNAMICS_TOKEN")
    monkeypatch.setenv("MQBG_DYNAMICS_CLIENT_ID", "app")
    monkeypatch.setenv("MQBG_DYNAMICS_CLIENT_SECRET", "hush")
    done = push("dynamics", dynamics(crm, tenant="t1", login_url=crm.url), scored(1))
    assert done.accepted == 1
    assert "POST /t1/oauth2/v2.0/token" in crm.seen


# SQL


@pytest.fixture
def sql(database, monkeypatch):
    monkeypatch.setenv("MQBG_PUSH_SQL_URL", database.url)
    return lambda **own: Settings(push=PushSettings(sql=SqlSettings(**own)))


def test_a_table_is_made_filled_and_upserted(push, sql, database):
    push("sql", sql(), scored(1500))
    push("sql", sql(), scored(1500, seed=1, change=0.1))
    assert database.answer("SELECT count(*) FROM mqbg_scores") == 1500
    rows = scored(1500, seed=1, change=0.1).scores.to_pylist()
    total = database.answer("SELECT sum(score) FROM mqbg_scores")
    assert int(total) == sum(row["score"] for row in rows)
    assert database.answer("SELECT missing_roles[1] FROM mqbg_scores WHERE group_id = 'g0'") in (
        None, "champion",
    )  # fmt: skip


def test_a_row_that_the_table_refuses_is_found(push, sql, database):
    push("sql", sql(), scored(1))
    database.run("ALTER TABLE mqbg_scores ADD CHECK (account_id <> 'a-g5')")
    done = push("sql", sql(), scored(40))
    assert [object_id for object_id, _ in done.rejected] == ["g5"]
    assert database.answer("SELECT count(*) FROM mqbg_scores") == 39


def test_a_text_that_postgresql_cannot_hold_is_that_rows_error(push, sql, database):
    done = push("sql", sql(), scored(["a", "b\x00c", "d"]))
    assert [object_id for object_id, _ in done.rejected] == ["b\x00c"]
    assert done.accepted == 2


def test_a_missing_column_is_named_and_prepare_adds_it(push, sql, database):
    push("sql", sql(fields={"engagement": ""}), scored(2))
    done = push("sql", sql(), scored(2, seed=1))
    assert "engagement" in done.stop_reason
    with open_target("sql", sql(), unix_clock=lambda: 0.0) as target:
        target.prepare()
    assert push("sql", sql(), scored(2, seed=2)).accepted == 2


def test_who_may_only_read_and_write_the_table_is_enough(push, sql, database, monkeypatch):
    push("sql", sql(), scored(2))
    database.run(
        "CREATE ROLE feeder LOGIN PASSWORD 'feeder'",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT SELECT, INSERT, UPDATE ON mqbg_scores TO feeder",
    )
    parts = sa.make_url(database.url)
    url = f"postgresql://feeder:feeder@127.0.0.1:{parts.port}/{parts.database}"
    monkeypatch.setenv("MQBG_PUSH_SQL_URL", url)
    try:
        assert push("sql", sql(), scored(3, seed=1)).accepted == 3
        with open_target("sql", sql(), unix_clock=lambda: 0.0) as target:
            assert target.prepare()
        other = push("sql", sql(table="other"), scored(1))
        assert "permission denied" in str(other)
    finally:
        database.run("DROP OWNED BY feeder", "DROP ROLE feeder")


def test_names_in_the_settings_are_quoted(push, sql, database):
    name = 'x"; DROP TABLE y; --'
    settings = sql(table="Odd Table", fields={"score": name})
    assert push("sql", settings, scored(1)).accepted == 1
    assert database.answer('SELECT count(*) FROM "Odd Table"') == 1


def test_a_database_that_cannot_be_reached_is_asked_once_and_keeps_all_records(
    push, sql, rows, monkeypatch
):
    asked, connect = [], postgres.connect

    def count(*arguments, **options):
        asked.append(arguments)
        return connect(*arguments, **options)

    monkeypatch.setattr(postgres, "connect", count)
    monkeypatch.setattr(sql_target, "BATCH_SIZE", 1)
    with closing(socket.create_server(("127.0.0.1", 0))) as nobody:
        port = nobody.getsockname()[1]
    monkeypatch.setenv("MQBG_PUSH_SQL_URL", f"postgresql://owner@127.0.0.1:{port}/none")
    done = push("sql", sql(), scored(3))
    assert (done.accepted, done.rejected, done.unsent) == (0, (), 3)
    assert "expected a database that answers" in done.stop_reason
    assert len(asked) == 1
    assert {row[:2] for row in rows().values()} == {("pending", 0)}


def test_a_wrong_password_stops_and_is_not_shown(push, sql, database, monkeypatch):
    from urllib.parse import urlsplit

    parts = urlsplit(database.url)
    wrong = f"postgresql://owner:swordfish@127.0.0.1:{parts.port}{parts.path}"
    monkeypatch.setenv("MQBG_PUSH_SQL_URL", wrong)
    done = push("sql", sql(), scored(2))
    assert done.accepted == 0
    assert "swordfish" not in str(done)
