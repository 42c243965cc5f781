"""Delivering to HubSpot's stand-in over real connections, in good moods and bad."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from crm import Mood
from mqbg.serve.delivery.outbox import outbox
from mqbg.serve.delivery.outbox.deliver import deliver
from mqbg.serve.delivery.outbox.outbox_table import outbox as table
from mqbg.serve.delivery.targets.hubspot import hubspot_records
from mqbg.serve.delivery.targets.open_target import open_target
from mqbg.serve.delivery.targets.target import PushInputs
from mqbg.settings import Settings
from mqbg.settings.delivery import HubSpotSettings, PushSettings
from world import scored

NOW = datetime(2025, 3, 1, 5)
QUICK = {
    "requests_per_10_seconds": 100_000, "timeout_seconds": 5.0, "wait_seconds": 0.01, "tries": 8,
}  # fmt: skip


def settings_for(url: str, **own) -> Settings:
    return Settings(push=PushSettings(hubspot=HubSpotSettings(url=url, **(QUICK | own))))


@pytest.fixture
def push(store, patience):
    """`push(settings, scored)` plans and delivers to HubSpot."""

    def run(settings, tables, now=NOW):
        with open_target("hubspot", settings, unix_clock=lambda: 0.0) as target:
            with store.begin() as connection:
                outbox.enqueue_changes(
                    connection,
                    "hubspot",
                    hubspot_records(PushInputs(tables, {}), settings),
                    patience,
                )
            return deliver(store, target, now=now, retry_policy=patience)

    return run


def held_in_store(store, kind="group") -> dict[str, dict]:
    query = sa.select(table.c.object_id, table.c.payload).where(table.c.kind == kind)
    with store.begin() as connection:
        return {row.object_id: json.loads(row.payload) for row in connection.execute(query)}


def states(store) -> dict[str, str]:
    with store.begin() as connection:
        return {row.object_id: row.state for row in connection.execute(sa.select(table))}


def test_every_group_stands_at_the_target_as_in_the_store(stand, push, store):
    crm = stand()
    done = push(settings_for(crm.url), scored(250))
    assert (done.accepted, done.rejected, done.unsent, done.stop_reason) == (250, (), 0, None)
    assert crm.of("deals") == held_in_store(store)
    assert crm.problems == []
    assert sum(crm.seen.values()) == 3


def test_fields_are_those_of_the_settings(stand, push):
    crm = stand()
    fields = {"score": "points", "as_of": "", "summary": "told"}
    push(settings_for(crm.url, fields=fields), scored(1))
    assert {"points", "told"} <= set(crm.of("deals")["g0"])
    assert not {"mqbg_score", "mqbg_as_of"} & set(crm.of("deals")["g0"])


def test_a_later_cut_off_alone_changes_nothing(stand, push):
    crm = stand()
    push(settings_for(crm.url), scored(3))
    later = push(settings_for(crm.url), scored(3, datetime(2025, 3, 2)))
    assert later.accepted == 0
    assert crm.of("deals")["g0"]["mqbg_as_of"] == "2025-03-01T00:00:00Z"


def test_a_bad_mood_changes_nothing_in_the_end(stand, push, store):
    mood = Mood(0.15, 0.15, 0.1, 0.1, 0.1, 0.05, 0.05, slow_seconds=0.01)
    crm = stand(mood=mood, seed=11)
    settings = settings_for(crm.url)
    for seed in range(3):
        push(settings, scored(300, seed=seed, change=0.5))
    crm.mood = Mood()
    with store.begin() as connection:
        outbox.retry_dead(connection, "hubspot")
    push(settings, scored(300, seed=2, change=0.5))
    assert crm.of("deals") == held_in_store(store)
    assert set(states(store).values()) == {"sent"}
    assert crm.problems == []


def test_a_refused_record_is_counted_by_itself(stand, push, store):
    crm = stand(never={"g3": "deal was merged"})
    done = push(settings_for(crm.url), scored(10))
    assert done.accepted == 9
    assert done.rejected == (("g3", "deal was merged"),)
    assert states(store)["g3"] == "failed"


def test_a_record_that_spoils_its_batch_is_found_by_halving(stand, push):
    crm = stand(poison={"g17", "g60"})
    done = push(settings_for(crm.url), scored(100))
    assert [object_id for object_id, _ in done.rejected] == ["g17", "g60"]
    assert done.accepted == 98
    assert sum(crm.seen.values()) <= 1 + 2 * 2 * 7


def test_a_missing_property_names_itself_without_a_request_for_every_record(stand, push, store):
    crm = stand(properties={"deals": {"mqbg_score"}})
    done = push(settings_for(crm.url, connections=1), scored(400))
    assert done.accepted == 0
    assert (done.rejected, done.unsent) == ((), 400)
    assert "mqbg_as_of does not exist" in done.stop_reason
    assert set(states(store).values()) == {"pending"}
    assert sum(crm.seen.values()) < 10


def test_prepare_makes_what_is_missing_once(stand, push):
    crm = stand(properties={"deals": {"mqbg_score"}})
    settings = settings_for(crm.url, notes=("qualified",))
    with open_target("hubspot", settings, unix_clock=lambda: 0.0) as target:
        made = target.prepare()
        assert target.prepare() == []
    assert "deals: mqbg_group_id" in made
    assert "deals: mqbg_score" not in made
    assert "notes: mqbg_note_id" in made
    assert push(settings, scored(5)).rejected == ()


def test_an_expired_token_stops_and_nothing_counts_as_sent(stand, push, store):
    crm = stand(locked=True)
    done = push(settings_for(crm.url), scored(500))
    assert done.accepted == 0
    assert done.unsent == 500
    assert "MQBG_HUBSPOT_TOKEN" in done.stop_reason
    assert "sesame" not in done.stop_reason
    assert set(states(store).values()) == {"pending"}
    assert sum(crm.seen.values()) <= 16


def test_a_target_that_is_away_stops_the_run_and_kills_nothing(push, store):
    settings = settings_for("http://127.0.0.1:9", connections=1, tries=2)
    for _ in range(4):
        done = push(settings, scored(1000))
        assert "got none after 2 tries" in done.stop_reason
    assert set(states(store).values()) <= {"pending", "failed"}


def test_a_wait_that_is_too_long_stops_the_run(stand, push):
    crm = stand(mood=Mood(too_many=1.0, wait_seconds=3600))
    done = push(settings_for(crm.url, connections=1), scored(5))
    assert "asks to wait 3600 s" in done.stop_reason
    assert sum(crm.seen.values()) == 1


def test_a_day_s_requests_used_up_leave_the_rest(stand, push, store):
    crm = stand()
    done = push(settings_for(crm.url, requests_per_day=2, connections=1), scored(300))
    assert (done.accepted, done.unsent) == (200, 100)
    assert "limit of 2 requests a day" in done.stop_reason


def test_notes_are_tied_to_their_records_and_follow_their_summary(stand, push, store):
    crm = stand()
    settings = settings_for(crm.url, notes=("qualified",))
    tables = scored(20)
    push(settings, tables)
    rows = tables.scores.to_pylist()
    qualified = {row["group_id"] for row in rows if row["status"] == "qualified"}
    assert set(crm.of("notes")) == qualified
    ties = {(crm.ids["notes", group], crm.ids["deals", group]) for group in qualified}
    assert crm.pairs == ties
    assert crm.of("notes") == held_in_store(store, "note")
    push(settings, scored(20, seed=1))
    assert crm.of("notes") == held_in_store(store, "note")
    assert crm.problems == []


def test_every_path_of_hubspot_is_a_dated_one(stand, push):
    crm = stand(properties={"deals": set()})
    settings = settings_for(crm.url, notes=("qualified",))
    with open_target("hubspot", settings, unix_clock=lambda: 0.0) as target:
        target.prepare()
    push(settings, scored(3, status="qualified"))
    assert crm.pairs
    assert {path.split("/crm/")[1].split("/")[1] for path in crm.seen} == {"2026-03"}


def test_a_note_waits_for_its_record(stand, push, store):
    crm = stand(never={"g0": "locked"})
    settings = settings_for(crm.url, notes=("qualified",))
    done = push(settings, scored(["g0"], status="qualified"))
    assert done.unsent == 1
    assert "g0 (locked)" in done.stop_reason
    crm.never.clear()
    assert push(settings, scored(["g0"], status="qualified")).accepted == 2


def test_texts_that_could_break_json_arrive_as_they_are(stand, push, store):
    crm = stand()
    ids = ['a"b', "c\\d", "e\nf", "日本", "=g", "{h}", "%s", "i,j"]
    done = push(settings_for(crm.url), scored(ids))
    assert done.accepted == len(ids)
    assert set(crm.of("deals")) == set(ids)


def test_a_secret_with_a_line_break_is_refused_before_any_request(stand, push, monkeypatch):
    from mqbg.contract import BadInput

    crm = stand()
    monkeypatch.setenv("MQBG_HUBSPOT_TOKEN", "abc\nhidden: x")
    with pytest.raises(BadInput, match="MQBG_HUBSPOT_TOKEN") as caught:
        push(settings_for(crm.url), scored(1))
    assert "hidden" not in str(caught.value)
    assert not crm.seen


def test_no_secret_is_logged(stand, push, caplog, capfd):
    import logging

    caplog.set_level(logging.DEBUG)
    crm = stand(mood=Mood(0.3, 0.3, 0.2), seed=3)
    push(settings_for(crm.url), scored(400))
    assert "sesame" not in caplog.text
    assert "sesame" not in "".join(capfd.readouterr())


def test_refused_records_are_due_again_later(stand, store):
    crm = stand(never={"g0": "locked"})
    patience = outbox.RetryPolicy(5, timedelta(minutes=5))
    with open_target("hubspot", settings_for(crm.url), unix_clock=lambda: 0.0) as target:
        with store.begin() as connection:
            outbox.enqueue_changes(
                connection,
                "hubspot",
                hubspot_records(PushInputs(scored(2), {}), settings_for(crm.url)),
                patience,
            )
        assert len(deliver(store, target, now=NOW, retry_policy=patience).rejected) == 1
        soon = deliver(store, target, now=NOW + timedelta(minutes=1), retry_policy=patience)
        assert soon.rejected == ()
        crm.never.clear()
        later = deliver(store, target, now=NOW + timedelta(minutes=6), retry_policy=patience)
        assert later.accepted == 1
