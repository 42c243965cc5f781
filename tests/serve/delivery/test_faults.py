"""Whose fault a failure is: what hits everything is the target's, and no record dies of it."""

from __future__ import annotations

import gc
import json
import socket
import threading
import warnings

import pytest
from crm import COMPOSITE, TOKEN, Mood
from mqbg.serve.delivery.targets.open_target import open_target
from mqbg.serve.delivery.targets.target import TargetUnavailable
from mqbg.serve.delivery.targets.time_limit import within_seconds
from mqbg.settings import Settings
from mqbg.settings.delivery import (
    DynamicsSettings,
    PushSettings,
    SalesforceSettings,
)


def refusing(status: int, body: bytes = b'{"message": "because of this"}', **headers: str):
    return lambda _method, _path, _body: (status, headers, body)


TARGETS = ("hubspot", "salesforce", "dynamics", "webhook")


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 423, 429, 477, 500, 503])
def test_a_failure_that_hits_everything_is_the_targets(stand, push, rows, name, status):
    crm = stand(override=refusing(status))
    done = push(name, crm, 120)
    assert (done.accepted, done.rejected, done.unsent) == (0, (), 120)
    assert f"status {status}: because of this" in done.stop_reason
    assert {(state, attempts) for state, attempts, _ in rows().values()} == {("pending", 0)}
    assert sum(crm.seen.values()) <= 110
    assert "hidden" not in done.stop_reason


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422, 500, 502])
@pytest.mark.parametrize("bad", [{"g57"}, {"g0", "g1", "g2", "g30", "g99"}])
def test_bad_records_never_hold_the_good_ones_whatever_the_status(stand, push, status, bad):
    def spoiled(_method, _path, body):
        keys = {row["id"] for row in json.loads(body)["inputs"]}
        return (status, {}, b"bad") if keys & bad else None

    crm = stand(override=spoiled)
    done = push("hubspot", crm, 150)
    assert done.accepted == 150 - len(bad)
    assert {object_id for object_id, _ in done.rejected} == bad


def test_a_run_of_bad_neighbours_is_not_taken_for_a_target_that_is_down(stand, push):
    bad = {f"g{number}" for number in range(20, 40)}
    crm = stand(poison=bad)
    done = push("hubspot", crm, 200)
    assert done.accepted == 180
    assert {object_id for object_id, _ in done.rejected} == bad


def test_a_target_that_breaks_in_the_middle_keeps_the_rest_pending(stand, push, rows):
    crm = stand()
    crm.override = lambda *_: (500, {}, b"down") if sum(crm.seen.values()) > 1 else None
    done = push("hubspot", crm, 500)
    assert done.accepted == 100
    assert "status 500: down" in done.stop_reason
    assert {attempts for _, attempts, _ in rows().values()} == {0}


def test_a_redirect_names_where_it_leads_without_its_secret(stand, push):
    crm = stand(override=refusing(301, b"", Location="https://new.example/hook?sig=hidden"))
    done = push("webhook", crm, 3)
    assert "moved to https://new.example/hook" in done.stop_reason
    assert "hidden" not in done.stop_reason


def test_a_quota_is_named_as_one_and_asks_no_further(stand, push):
    body = b'{"policyName": "DAILY", "message": "You have reached your daily limit."}'
    crm = stand(override=refusing(429, body))
    done = push("hubspot", crm, 3, tries=5)
    assert "expected a quota that is not used up" in done.stop_reason
    assert "reached your daily limit" in done.stop_reason
    assert sum(crm.seen.values()) == 1


def test_salesforces_daily_limit_is_named_as_a_quota_though_its_status_is_403(stand, push, rows):
    body = b'[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]'
    crm = stand(override=refusing(403, body))
    done = push("salesforce", crm, 3, tries=5)
    assert "expected a quota that is not used up" in done.stop_reason
    assert "TotalRequests Limit exceeded" in done.stop_reason
    assert sum(crm.seen.values()) == 1
    assert {(state, attempts) for state, attempts, _ in rows().values()} == {("pending", 0)}


def test_a_secret_that_a_service_repeats_is_struck_out(stand, push):
    body = json.dumps({"message": f"no such token: Bearer {TOKEN}"}).encode()
    done = push("hubspot", stand(override=refusing(401, body)), 1)
    assert "no such token: Bearer ***" in done.stop_reason


@pytest.mark.parametrize("status", [429, 477, 503, 403])
def test_retry_after_is_honoured_wherever_it_comes(stand, push, status):
    crm = stand()
    crm.override = lambda *_: (
        (status, {"Retry-After": "0.2"}, b"wait") if sum(crm.seen.values()) == 1 else None
    )
    done = push("hubspot", crm, 1, wait_seconds=1.0)
    assert done.accepted == 1
    assert crm.at[1] - crm.at[0] >= 0.2


@pytest.mark.parametrize(
    ("context", "rejected"),
    [({"ids": ["g1"]}, True), ({"id": ["g1"]}, True), ({"ids": ["4711"]}, True), (None, True)],
)
def test_errors_of_a_partly_refused_batch_are_shown_however_they_name_records(
    stand, push, context, rejected
):
    error = {"category": "VALIDATION_ERROR", "message": "amount is no number", "context": context}
    rest = {"results": [{"id": "1", "objectWriteTraceId": "g0"}], "errors": [error]}
    crm = stand(override=refusing(207, json.dumps(rest).encode()))
    done = push("hubspot", crm, 2)
    assert done.accepted == 1
    ((object_id, reason),) = done.rejected
    assert object_id == "g1"
    assert "VALIDATION_ERROR: amount is no number" in reason


def test_a_row_that_salesforce_holds_locked_is_tried_again_within_the_run(stand, push):
    asked = []

    def locked_once(_method, _path, body):
        records = json.loads(body)["records"]
        asked.append(len(records))
        if len(asked) > 1:
            return None
        assert len(records) <= COMPOSITE
        error = {"statusCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain lock"}
        answers = [{"success": True, "id": "1", "errors": []}] * (len(records) - 1)
        return 200, {}, json.dumps([*answers, {"success": False, "errors": [error]}]).encode()

    done = push("salesforce", stand(override=locked_once), 10)
    assert (done.accepted, done.rejected) == (10, ())
    assert asked == [10, 1]


def test_a_token_of_dynamics_that_expires_in_the_middle_is_fetched_again(stand, push, monkeypatch):
    monkeypatch.delenv("MQBG_DYNAMICS_TOKEN")
    monkeypatch.setenv("MQBG_DYNAMICS_CLIENT_ID", "app")
    monkeypatch.setenv("MQBG_DYNAMICS_CLIENT_SECRET", "hush")
    crm = stand()
    expired = []

    def expire_once(method, _path, _body):
        if method == "PATCH" and sum(crm.seen.values()) == 4 and not expired:
            expired.append(True)
            return 401, {}, b"{}"
        return None

    crm.override = expire_once
    done = push("dynamics", crm, 8, tenant="t1", login_url=crm.url)
    assert (done.accepted, done.stop_reason) == (8, None)
    assert crm.seen["POST /t1/oauth2/v2.0/token"] == 2


UNREADABLE = {
    "not UTF-8": b'{"results": "\xff\xfe"}',
    "too deep": b"[" * 200_000,
    "html": b"<!DOCTYPE html><title>Log in</title><p>Please log in",
    "cut off": b'{"results": [{"id"',
    "of another shape": b'"yes"',
    "empty": b"",
    "a large number": b"9" * 10_000,
}


@pytest.mark.parametrize("name", ["hubspot", "salesforce"])
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_answer_that_cannot_be_read_is_no_answer(stand, push, rows, name, body):
    done = push(name, stand(override=refusing(200, body)), 3)
    assert done.accepted == 0
    assert {attempts for _, attempts, _ in rows().values()} == {0}
    assert "no answer" in done.rejected[0][1]


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_refusal_that_cannot_be_read_is_still_one(stand, push, rows, name, body):
    done = push(name, stand(override=refusing(400, body)), 3)
    assert "status 400" in done.stop_reason
    assert len(done.stop_reason) < 700
    assert {state for state, _, _ in rows().values()} == {"pending"}


def test_a_web_page_in_place_of_a_webhooks_answer_takes_nothing(stand, push):
    done = push("webhook", stand(override=refusing(200, UNREADABLE["html"])), 3)
    assert done.accepted == 0
    assert "a web page in place of an answer: Log in" in done.rejected[0][1]


def test_an_answer_that_is_too_long_is_no_answer(stand, push, monkeypatch):
    monkeypatch.setattr("mqbg.serve.delivery.targets.service_client.MAX_ANSWER_BYTES", 1000)
    done = push("hubspot", stand(override=refusing(200, b"[" + b" " * 2000)), 3)
    assert "more than 1,000 bytes" in done.rejected[0][1]


def test_a_name_that_nobody_knows_is_said(push, rows):
    class Nowhere:
        url = "http://nowhere.invalid"

    done = push("hubspot", Nowhere, 250)
    assert "no address for the host's name" in done.stop_reason
    assert {attempts for _, attempts, _ in rows().values()} == {0}


def test_proxy_settings_that_cannot_be_read_are_said(stand, push, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "nonsense://proxy")
    with pytest.raises(TargetUnavailable, match="HTTPS_PROXY"):
        push("hubspot", stand(), 1)


def test_an_error_that_nobody_foresaw_stops_the_target_and_shows_no_secret(
    stand, push, rows, monkeypatch
):
    def broken(*_):
        raise KeyError("hidden")

    monkeypatch.setattr("mqbg.serve.delivery.targets.hubspot.upsert_batch", broken)
    done = push("hubspot", stand(), 3)
    assert "unexpected KeyError in test_faults.py" in done.stop_reason
    assert "hidden" not in done.stop_reason
    assert {state for state, _, _ in rows().values()} == {"pending"}


@pytest.fixture
def silent():
    """The port of a server that accepts connections and never says anything."""
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
    # Those who wait end with it, and leave their sockets to the collector.
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_a_login_to_salesforce_that_hangs_ends(silent, monkeypatch):
    monkeypatch.delenv("MQBG_SALESFORCE_TOKEN")
    for part in ("USERNAME", "PASSWORD", "SECURITY_TOKEN"):
        monkeypatch.setenv(f"MQBG_SALESFORCE_{part}", "x")
    section = SalesforceSettings(domain=f"127.0.0.1:{silent}/#", timeout_seconds=0.2)
    settings = Settings(push=PushSettings(salesforce=section))
    with (
        pytest.raises(TargetUnavailable, match=r"none within 0\.2 s"),
        open_target("salesforce", settings, unix_clock=lambda: 0.0),
    ):
        pass


def test_a_login_to_dynamics_that_hangs_ends(silent, monkeypatch):
    monkeypatch.delenv("MQBG_DYNAMICS_TOKEN")
    monkeypatch.setenv("MQBG_DYNAMICS_CLIENT_ID", "app")
    monkeypatch.setenv("MQBG_DYNAMICS_CLIENT_SECRET", "hush")
    section = DynamicsSettings(
        url="https://x.example", tenant="t", login_url=f"http://127.0.0.1:{silent}",
        timeout_seconds=0.2,
    )  # fmt: skip
    with (
        pytest.raises(TargetUnavailable, match=r"ReadTimeout|no complete answer within 0\.4 s"),
        open_target("dynamics", Settings(push=PushSettings(dynamics=section)), unix_clock=float),
    ):
        pass


def test_what_knows_no_time_limit_gets_one():
    ended = threading.Event()
    with pytest.raises(TimeoutError):
        within_seconds(0.01, ended.wait)
    ended.set()
    assert within_seconds(5.0, lambda: 7) == 7


def test_a_mood_of_lost_answers_still_ends_with_all(stand, push, rows):
    crm = stand(mood=Mood(lost=0.3), seed=3)
    for _ in range(6):
        push("hubspot", crm, 30, tries=4)
    assert {state for state, _, _ in rows().values()} == {"sent"}
