"""A run in the store: whole or not at all, repeatable, in order."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa
from mqbg.contract import BadInput
from mqbg.serve.batch.capacity_at_night import CapacityAtNight
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.errors import StoreFailed
from mqbg.serve.store.load_run import load_run
from mqbg.serve.store.queries import load_group, load_latest_run
from mqbg.serve.store.save_run import save_run
from mqbg.serve.store.schema import EDITED_DIGEST, RUN_TABLES, STORED_TABLES, states, transitions
from mqbg.settings import Settings, StateSettings, StoreSettings, ThresholdSettings

JUNE, DAY = datetime(2024, 6, 1), timedelta(days=1)
SETTINGS = Settings()
AWKWARD = ['a "quoted" word', "back\\slash", "佐藤 花子", "two\nlines", "", ",;\t'"]


@pytest.fixture
def run(store, run_of, scores_of, no_verdicts):
    """`run(as_of, {group: readiness}, ...)`: keeps a run and returns what it wrote."""

    def keep(
        as_of, readiness, *,
        settings=SETTINGS, verdicts=no_verdicts, replay=False, capacity=None, **rows,
    ):  # fmt: skip
        scored = run_of(as_of, {"scores": scores_of(readiness), **rows})
        with save_run(
            store, scored, verdicts, settings, as_of, replay=replay, capacity=capacity
        ) as kept:
            return kept

    return keep


def test_what_is_kept_is_what_was_written(store, run):
    rows = {
        "stakeholders": [
            {"group_id": "g", "contact_id": "c1", "points": 3.5, "top_kinds": AWKWARD,
             "summary": 'He said "no"', "last_activity_at": datetime(2024, 5, 1, 1, 2, 3, 456789)},
            {"group_id": "g", "contact_id": "c2", "points": 0.1 + 0.2, "top_kinds": None,
             "summary": None, "role": "", "last_activity_at": None},
        ],
        "actions": [
            {"group_id": "g", "action": "wake_member", "contact_id": None, "text": "first"},
            {"group_id": "g", "action": "fill_role", "contact_id": "c1", "text": "second"},
            {"group_id": "h", "action": "fill_role", "contact_id": None, "text": "third"},
        ],
        "horizons": [{"group_id": "g", "horizon_days": d, "readiness": d / 200} for d in (30, 90)],
        "themes": [{"group_id": "g", "contact_id": "c1", "theme": "人"}],
        "summaries": [{"group_id": "g", "summary": "一行目\n二行目"}],
    }  # fmt: skip
    kept = run(JUNE, {"g": 1 / 3, "h": 0.9}, **rows)
    with store.begin() as connection:
        found = load_group(connection, "g", JUNE)
        run_kept = load_latest_run(connection)
    written = kept.scored
    mine = {
        name: [row for row in getattr(written, name).to_pylist() if row["group_id"] == "g"]
        for name in RUN_TABLES
    }
    assert [found.score] == mine["scores"]
    assert found.stakeholders == mine["stakeholders"]
    assert found.actions == mine["actions"]
    assert found.horizons == mine["horizons"]
    assert found.themes == mine["themes"]
    assert found.summary == "一行目\n二行目"
    assert (run_kept.as_of, run_kept.model_version, run_kept.groups) == (JUNE, "1", 2)


def test_the_status_that_is_written_is_that_of_the_states(run):
    assert run(JUNE, {"g": 0.9, "h": 0.1}).scored.scores["status"].to_pylist() == [
        "qualified",
        "nurture",
    ]
    kept = run(JUNE + DAY, {"g": 0.45, "h": 0.45})
    statuses = dict(
        zip(*(kept.scored.scores[c].to_pylist() for c in ("group_id", "status")), strict=True)
    )
    assert statuses == {"g": "qualified", "h": "nurture"}


def random_nights(seed, nights):
    """Each night some groups with a readiness, and what sales said by then."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    said = {}
    for night in range(nights):
        as_of = JUNE + 10 * night * DAY
        for group_id in draw.sample("abcdefgh", 2):
            verdict = draw.choice(["accepted", "rejected"])
            reason = draw.choice(["too early", None])
            said[group_id] = (group_id, as_of - DAY, verdict, reason, None)
        columns = ["group_id", "decided_at", "verdict", "reason", "reopened_at"]
        groups = {name: draw.choice([0.1, 0.45, 0.9]) for name in draw.sample("abcdefghij", 8)}
        yield as_of, groups, pd.DataFrame(list(said.values()), columns=columns)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_repeating_any_night_and_replaying_from_any_night_gives_the_same_history(
    store, run, everything, seed
):
    nights = list(random_nights(seed, 5))
    for as_of, groups, said in nights:
        run(as_of, groups, verdicts=said)
        once = everything(store)
        run(as_of, groups, verdicts=said)
        assert everything(store) == once
    assert len({row[2:4] for row in once["transitions"]}) >= 4  # kinds of steps
    for start in (0, 3):
        for number, (as_of, groups, said) in enumerate(nights[start:]):
            run(as_of, groups, verdicts=said, replay=number == 0)
        assert everything(store) == once


def test_a_night_before_the_latest_one_is_refused(store, run, everything):
    run(JUNE, {"g": 0.9})
    run(JUNE + DAY, {"g": 0.9})
    before = everything(store)
    with pytest.raises(
        BadInput, match=r"at or after its latest run, 2024-06-02 00:00, got 2024-06"
    ):
        run(JUNE, {"g": 0.1})
    assert everything(store) == before


def test_replaying_drops_the_later_nights_and_what_they_did(store, run, everything):
    run(JUNE, {"g": 0.1})
    first = everything(store)
    run(JUNE + DAY, {"g": 0.9})
    run(JUNE, {"g": 0.1}, replay=True)
    assert everything(store) == first


def test_an_error_while_the_folder_is_written_keeps_nothing(
    store, run, run_of, scores_of, no_verdicts, everything
):
    run(JUNE, {"g": 0.1})
    before = everything(store)
    scored = run_of(JUNE + DAY, {"scores": scores_of({"g": 0.9})})
    with (
        pytest.raises(ZeroDivisionError),
        save_run(store, scored, no_verdicts, SETTINGS, JUNE + DAY),
    ):
        raise ZeroDivisionError
    assert everything(store) == before


def test_an_error_in_the_middle_of_the_writing_keeps_nothing(store, run, everything, monkeypatch):
    run(JUNE, {"g": 0.1})
    before = everything(store)
    from mqbg.serve.store import save_run as save_run_module

    insert = save_run_module.insert_rows

    def fails(connection, table, rows):
        insert(connection, table, rows)
        if table.name == "states":
            connection.execute(sa.text("SELECT * FROM nowhere"))

    monkeypatch.setattr(save_run_module, "insert_rows", fails)
    with pytest.raises(StoreFailed, match="nothing of this run was kept"):
        run(JUNE + DAY, {"g": 0.9})
    assert everything(store) == before


def test_what_is_too_old_goes_but_states_and_transitions_stay(store, run):
    settings = Settings(store=StoreSettings(retention_days=10), states=StateSettings(dwell_days=30))
    for night in range(0, 40, 8):
        run(JUNE + night * DAY, {"g": 0.9 if night == 0 else 0.1}, settings=settings)
    with store.begin() as connection:
        scores = list(connection.scalars(sa.select(RUN_TABLES["scores"].c.as_of).order_by("as_of")))
        kept = {
            table.name: list(connection.scalars(sa.select(table.c.as_of).order_by(table.c.as_of)))
            for table in (transitions, states)
        }
        rows = connection.scalar(sa.select(sa.func.count()).select_from(STORED_TABLES["scores"]))
    assert scores == [JUNE + 24 * DAY, JUNE + 32 * DAY]
    assert rows == 1  # the one that both have, which began before
    assert kept["transitions"] == [JUNE]
    assert kept["states"] == [JUNE, JUNE + 8 * DAY]  # qualified, below the lower line
    last = run(JUNE + 38 * DAY, {"g": 0.1}, settings=settings)
    assert last.scored.scores["status"].to_pylist() == ["recycled"]  # its dwell was not forgotten


def test_the_latest_run_stays_however_short_the_time(store, run):
    run(JUNE, {"g": 0.9}, settings=Settings(store=StoreSettings(retention_days=0.001)))
    with store.begin() as connection:
        assert load_latest_run(connection).as_of == JUNE


def test_the_same_scores_have_the_same_digest_and_others_another(run, store):
    digests = []
    for readiness in (0.9, 0.9, 0.8):
        run(JUNE, {"g": readiness})
        with store.begin() as connection:
            digests.append(load_latest_run(connection).digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_full_disk_keeps_nothing_and_says_so(
    tmp_path, run_of, scores_of, no_verdicts, everything
):
    many = {f"g{n * 7919}": n / 5_000 for n in range(5_000)}
    scored = run_of(JUNE + DAY, {"scores": scores_of(many)})
    with open_store(f"sqlite:///{tmp_path / 'store.sqlite'}") as store:
        with save_run(
            store, run_of(JUNE, {"scores": scores_of({"g": 0.9})}), no_verdicts, SETTINGS, JUNE
        ):
            pass
        before = everything(store)
        with store.begin() as connection:  # the nearest to a full disk that a test may make
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 20}")
        with (
            pytest.raises(
                StoreFailed, match="the disk is full; nothing of this run was kept: make"
            ),
            save_run(store, scored, no_verdicts, SETTINGS, JUNE + DAY),
        ):
            pass
        assert everything(store) == before


def rows_stored(store):
    with store.reading() as connection:
        return {
            name: connection.scalar(sa.select(sa.func.count()).select_from(table))
            for name, table in STORED_TABLES.items()
        }


ROWS = {
    "stakeholders": [
        {"group_id": "g", "contact_id": c, "summary": c, "last_activity_at": JUNE - DAY}
        for c in ("c1", "c2")
    ],
    "actions": [{"group_id": "g", "action": a, "text": a} for a in ("fill_role", "wake_member")],
    "horizons": [{"group_id": "g", "horizon_days": 90}],
    "themes": [{"group_id": "g", "contact_id": "c1", "theme": t} for t in ("web", "fit")],
    "summaries": [{"group_id": "g", "summary": "one"}, {"group_id": "h", "summary": "two"}],
}


def test_rows_that_did_not_change_are_not_stored_again(store, run):
    run(JUNE, {"g": 0.9, "h": 0.2}, **ROWS)
    first = rows_stored(store)
    assert first == {
        "scores": 2, "rankings": 2, "stakeholders": 2, "actions": 2, "horizons": 1, "themes": 1,
        "summaries": 2,
    }  # fmt: skip
    run(JUNE + DAY, {"g": 0.9, "h": 0.2}, **ROWS)
    # Of the first night: the status of g was what its state made of it, and is so again.
    assert rows_stored(store) == first
    changed = {**ROWS, "summaries": [{"group_id": "g", "summary": "other"}, ROWS["summaries"][1]]}
    run(JUNE + 2 * DAY, {"g": 0.9, "h": 0.2}, **changed)
    assert rows_stored(store) == {**first, "summaries": 3}


def test_a_group_that_overtakes_another_one_stores_ranks_again_and_its_own_score(store, run):
    run(JUNE, {"g": 0.9, "h": 0.2, "i": 0.1})
    run(JUNE + DAY, {"g": 0.9, "h": 0.2, "i": 0.3})
    stored = rows_stored(store)
    assert (stored["scores"], stored["rankings"]) == (4, 5)


def test_every_run_is_read_as_it_was_written_however_rows_come_go_and_stay(store, run):
    draw = random.Random(5)  # noqa: S311 - no secret
    written = {}
    for night in range(8):
        groups = draw.sample("abcde", 3)
        rows = {
            "summaries": [{"group_id": g, "summary": draw.choice("xy")} for g in groups],
            "actions": [{"group_id": g, "text": draw.choice("xy")} for g in sorted(groups * 2)],
        }
        as_of = JUNE + night * DAY
        written[as_of] = run(as_of, {g: draw.choice([0.2, 0.9]) for g in groups}, **rows).scored
    with store.reading() as connection:
        for as_of, scored in written.items():
            found = load_run(connection, as_of)
            for name in RUN_TABLES:
                rows = getattr(found, name).to_pylist()
                assert sorted(rows, key=repr) == sorted(getattr(scored, name).to_pylist(), key=repr)


def test_a_row_that_was_edited_after_its_run_is_stored_again(store, run):
    run(JUNE, {"g": 0.9}, summaries=[{"group_id": "g", "summary": "one"}])
    with store.begin() as connection:
        table = STORED_TABLES["summaries"]
        connection.execute(sa.update(table).values(summary="", digest=EDITED_DIGEST))
    run(JUNE + DAY, {"g": 0.9}, summaries=[{"group_id": "g", "summary": "one"}])
    with store.begin() as connection:
        summaries = [load_group(connection, "g", JUNE + night * DAY).summary for night in range(2)]
    assert summaries == ["", "one"]


def test_a_replay_of_a_day_that_the_retention_dropped_is_kept_as_a_whole(store, run):
    settings = Settings(store=StoreSettings(retention_days=2))
    for night, readiness in enumerate((0.1, 0.2, 0.2, 0.3, 0.4)):
        run(JUNE + night * DAY, {"g": readiness, "h": 0.5}, settings=settings)
    kept = run(JUNE + DAY, {"g": 0.2, "h": 0.5}, settings=settings, replay=True).scored
    with store.reading() as connection:
        assert load_latest_run(connection).as_of == JUNE + DAY
        found = load_run(connection, JUNE + DAY)
    assert found.scores.to_pylist() == kept.scores.to_pylist()


CAPACITY = CapacityAtNight(ThresholdSettings(capacity_per_week=7), floor=0.0)
MANY = {f"g{n:02d}": 0.9 - n / 100 for n in range(40)}


def test_a_run_lets_in_what_the_runs_before_it_left_of_the_capacity(run):
    days = (0, 1, 3, 10)
    kept = [run(JUNE + n * DAY, MANY, capacity=CAPACITY) for n in days]
    assert [len(one.transitions) for one in kept] == [7, 1, 2, 7]
    entered = [group for one in kept for group in one.transitions["group_id"]]
    assert entered == sorted(MANY)[:17]  # the readiest first
    assert kept[1].scored.scores["threshold"].to_pylist() == [MANY["g07"]] * 40


def test_a_run_that_is_repeated_lets_in_the_same_groups(run):
    first, again = (run(JUNE, MANY, capacity=CAPACITY) for _ in range(2))
    pd.testing.assert_frame_equal(first.transitions, again.transitions)
    later, later_again = (run(JUNE + DAY, MANY, capacity=CAPACITY) for _ in range(2))
    pd.testing.assert_frame_equal(later.transitions, later_again.transitions)


def test_each_team_of_a_segment_takes_by_its_own_capacity(run):
    own = ThresholdSettings(
        capacity_per_week=2, segment="tier", capacity_by_segment={"A": 3, "nobody": 5}
    )
    tiers = {group: "A" if n % 2 else None for n, group in enumerate(MANY)}
    kept = run(JUNE, MANY, capacity=CapacityAtNight(own, 0.0, tiers))
    assert kept.transitions["group_id"].tolist() == ["g00", "g01", "g02", "g03", "g05"]
