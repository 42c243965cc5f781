"""A run in the store: whole or not at all, repeatable, in order."""

from __future__ import annotations

import random
import resource
from contextlib import contextmanager
from datetime import datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa
from mqbg.contract import BadInput
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.errors import StoreFailed
from mqbg.serve.store.queries import load_group, load_latest_run
from mqbg.serve.store.save_run import save_run, save_run_if_stored
from mqbg.serve.store.schema import RUN_TABLES
from mqbg.settings import Settings, StateSettings, StoreSettings

JUNE, DAY = datetime(2024, 6, 1), timedelta(days=1)
SETTINGS = Settings()
AWKWARD = ['a "quoted" word', "back\\slash", "佐藤 花子", "two\nlines", "", ",;\t'"]


@pytest.fixture
def run(store, run_of, scores_of, no_verdicts):
    """`run(as_of, {group: readiness}, ...)`: keeps a run and returns what it wrote."""

    def keep(as_of, readiness, *, settings=SETTINGS, verdicts=no_verdicts, replay=False, **rows):
        scored = run_of(as_of, {"scores": scores_of(readiness), **rows})
        with save_run(store, scored, verdicts, settings, as_of, replay=replay) as kept:
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


def test_without_a_store_the_scores_stay_as_they_are(run_of, scores_of, no_verdicts):
    scored = run_of(JUNE, {"scores": scores_of({"g": 0.9})})
    with save_run_if_stored(None, scored, no_verdicts, SETTINGS, JUNE) as kept:
        assert kept.scored is scored
        assert kept.transitions.empty


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
        kept = {
            name: list(connection.scalars(sa.text(f"SELECT as_of FROM {name} ORDER BY as_of")))  # noqa: S608
            for name in ("scores", "runs", "transitions", "states")
        }
    assert kept["scores"] == kept["runs"] == [JUNE + 24 * DAY, JUNE + 32 * DAY]
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


@contextmanager
def files_no_larger_than(size):
    """The nearest to a full disk that a test may make: this process writes no larger file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_nothing_and_says_so(
    tmp_path, run_of, scores_of, no_verdicts, everything
):
    path, many = tmp_path / "store.duckdb", {f"g{n * 7919}": n / 5_000 for n in range(5_000)}
    scored = [run_of(JUNE + n * DAY, {"scores": scores_of(many)}) for n in range(2)]
    with open_store(f"duckdb:///{path}") as store:
        with save_run(store, scored[0], no_verdicts, SETTINGS, JUNE):
            pass
        before = everything(store)
        with (
            pytest.raises(
                StoreFailed, match="the disk is full; nothing of this run was kept: make"
            ),
            files_no_larger_than(20_000),
            save_run(store, scored[1], no_verdicts, SETTINGS, JUNE + DAY),
        ):
            pass
        assert everything(store) == before
