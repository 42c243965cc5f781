"""The outbox: what is sent, what is not, and what a crash leaves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from mqbg.serve.delivery.outbox import outbox
from mqbg.serve.delivery.outbox.outbox import RetryPolicy
from mqbg.serve.delivery.outbox.outbox_table import outbox as table
from mqbg.serve.delivery.targets.target import DesiredRecords, OutboxRecord, Outcome

NOW = datetime(2025, 3, 1, 5)
OK = Outcome()
NO = Outcome("no such property")
SILENCE = Outcome("no answer", counts_as_attempt=False)


def wanted(**payloads: str) -> list[DesiredRecords]:
    """Records of one letter, hashed by themselves."""
    texts = [f'{{"v":"{value}"}}' for value in payloads.values()]
    return [DesiredRecords("group", list(payloads), texts, list(payloads.values()))]


@pytest.fixture
def box(store, patience):
    """`box(answers, **payloads)` plans, sends and records; returns what was sent."""

    def night(answers=None, *, crash=False, now=NOW, to="crm", **payloads) -> dict[str, str]:
        with store.begin() as connection:
            outbox.enqueue_changes(connection, to, wanted(**payloads), patience)
        with store.begin() as connection:
            items = outbox.claim_due(connection, to, now)
        if not crash:
            with store.begin() as connection:
                outcomes = [(item, (answers or {}).get(item.object_id, OK)) for item in items]
                outbox.save_outcomes(connection, to, outcomes, patience, now)
                outbox.recover_interrupted(connection, to)
        return {item.object_id: item.payload[6:-2] for item in items}

    return night


def states(store) -> dict[str, str]:
    with store.begin() as connection:
        return {row.object_id: row.state for row in connection.execute(sa.select(table))}


def test_only_what_changed_is_sent(box):
    assert box(a="1", b="1") == {"a": "1", "b": "1"}
    assert box(a="1", b="1") == {}
    assert box(a="1", b="2", c="1") == {"b": "2", "c": "1"}


def test_targets_do_not_see_each_other(box):
    assert box(a="1") == {"a": "1"}
    assert box(to="other", a="1") == {"a": "1"}
    assert box(a="1") == {}


def test_what_is_no_longer_wanted_is_left_alone(box, store):
    box(a="1", b="1")
    assert box(b="2") == {"b": "2"}
    assert states(store) == {"a": "sent", "b": "sent"}


def test_a_crash_after_the_mark_sends_again(box):
    box(crash=True, a="1")
    assert box(a="1") == {"a": "1"}
    assert box(a="1") == {}


def test_a_value_that_went_back_is_sent_again_after_a_crash(box):
    """The target may hold 2 by now, whatever the hash of the last confirmed answer says."""
    box(a="1")
    assert box(crash=True, a="2") == {"a": "2"}
    assert box(a="1") == {"a": "1"}


def test_a_value_that_went_back_after_a_refusal_is_sent_again(box):
    """An earlier try of the request may have been written, and its answer lost."""
    box(a="1")
    assert box({"a": NO}, a="2") == {"a": "2"}
    assert box(a="1") == {"a": "1"}


def test_a_value_that_went_back_keeps_the_day_it_was_sent_with(store, patience):
    """What the target holds since the first day stands in the outbox with that day."""

    def night(digest: str, day: int) -> str:
        payload = f'{{"v":"{digest}","day":{day}}}'
        with store.begin() as connection:
            records = [DesiredRecords("group", ["a"], [payload], [digest])]
            outbox.enqueue_changes(connection, "crm", records, patience)
            return connection.execute(sa.select(table.c.payload)).scalar_one()

    first = night("1", 1)
    with store.begin() as connection:
        items = outbox.claim_due(connection, "crm", NOW)
        outbox.save_outcomes(connection, "crm", [(items[0], OK)], patience, NOW)
    night("2", 2)  # planned, and cut off before anything was sent
    assert night("1", 3) == first


def test_a_value_that_went_back_after_a_silence_is_sent_again(box):
    box(a="1")
    assert box({"a": SILENCE}, a="2") == {"a": "2"}
    assert box(a="1") == {"a": "1"}


def test_a_refused_record_dies_after_its_attempts_and_comes_back_when_asked(box, store):
    for _ in range(3):
        assert box({"a": NO}, a="1") == {"a": "1"}
    assert states(store) == {"a": "dead"}
    assert box(a="1") == {}
    with store.begin() as connection:
        assert outbox.retry_dead(connection, "crm") == 1
        assert outbox.retry_dead(connection, "crm") == 0
    assert box(a="1") == {"a": "1"}
    assert states(store) == {"a": "sent"}


def test_a_dead_record_has_one_attempt_for_every_new_payload(box, store):
    for _ in range(3):
        box({"a": NO}, a="1")
    assert box({"a": NO}, a="2") == {"a": "2"}
    assert states(store) == {"a": "dead"}
    assert box({"a": NO}, a="2") == {}
    assert box(a="3") == {"a": "3"}
    assert states(store) == {"a": "sent"}


def test_nothing_dies_of_a_target_that_does_not_answer(box, store):
    for _ in range(5):
        assert box({"a": SILENCE}, a="1") == {"a": "1"}
    assert states(store) == {"a": "failed"}


@pytest.mark.parametrize(
    ("later", "due"),
    [
        (timedelta(minutes=4), False),
        (timedelta(minutes=5), True),
        (timedelta(days=-2), True),  # the clock was two days ahead when the refusal was noted
    ],
)
def test_a_refused_record_waits_for_its_next_attempt(store, later, due):
    patience = RetryPolicy(5, timedelta(minutes=5))
    with store.begin() as connection:
        outbox.enqueue_changes(connection, "crm", wanted(a="1"), patience)
        items = outbox.claim_due(connection, "crm", NOW)
        outbox.save_outcomes(connection, "crm", [(items[0], NO)], patience, NOW)
        assert bool(outbox.claim_due(connection, "crm", NOW + later)) is due


def test_waits_double_up_to_a_day():
    patience = RetryPolicy(50, timedelta(minutes=5))
    waits = [patience.next_attempt_at(attempts, NOW) - NOW for attempts in (1, 2, 3, 40)]
    assert waits == [timedelta(minutes=m) for m in (5, 10, 20, 24 * 60)]


def test_what_a_stopped_run_never_sent_is_as_it_was(store, patience):
    with store.begin() as connection:
        outbox.enqueue_changes(connection, "crm", wanted(a="1", b="1"), patience)
        items = outbox.claim_due(connection, "crm", NOW)
        outbox.save_outcomes(connection, "crm", [(items[0], OK)], patience, NOW)
        outbox.recover_interrupted(connection, "crm")
        assert [item.object_id for item in outbox.claim_due(connection, "crm", NOW)] == ["b"]


def test_the_targets_own_id_is_kept(store, patience):
    with store.begin() as connection:
        outbox.enqueue_changes(connection, "crm", wanted(a="1"), patience)
        items = outbox.claim_due(connection, "crm", NOW)
        outbox.save_outcomes(
            connection, "crm", [(items[0], Outcome(remote_id="77"))], patience, NOW
        )
        outbox.enqueue_changes(connection, "crm", wanted(a="2"), patience)
        again = outbox.claim_due(connection, "crm", NOW)
        assert again == [OutboxRecord("group", "a", '{"v":"2"}', 0, "77")]
        assert outbox.load_remote_ids(connection, "crm", "group") == {"a": "77"}


def test_the_same_rules_hold_on_postgresql(database, patience):
    from mqbg.serve.store.connection import open_store

    with open_store(database.url) as store, store.begin() as connection:
        outbox.enqueue_changes(connection, "crm", wanted(a='1"\\u0000,\n', b="1"), patience)
        items = outbox.claim_due(connection, "crm", NOW)
        assert [item.object_id for item in items] == ["a", "b"]
        outbox.save_outcomes(connection, "crm", zip(items, [NO, OK], strict=True), patience, NOW)
        assert outbox.count_by_state(connection, "crm") == {"failed": 1, "sent": 1}
        assert outbox.enqueue_changes(connection, "crm", wanted(b="2"), patience) == 1
        assert [item.payload for item in outbox.claim_due(connection, "crm", NOW)] == [
            '{"v":"1"\\u0000,\n"}',
            '{"v":"2"}',
        ]
