"""How groups move between states: literal rows, and a plain oracle over random paths."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mqbg.model.states import (
    STATE_COLUMNS,
    TRANSITION_COLUMNS,
    TRANSITION_REASONS,
    is_stagnant,
    update_states,
)
from mqbg.settings import StateSettings

DAY = timedelta(days=1)
JUNE = datetime(2024, 6, 1)
SETTINGS = StateSettings(
    leave_below=0.8, dwell_days=14, recycle_days=90, sent_back_reasons=("Too early",),
    alert_pause_days=30,
)  # fmt: skip
LINE, COVER = 0.5, 0.6


def score(readiness, completeness=1.0, *, threshold=LINE, group_id="g"):
    return {
        "group_id": group_id,
        "model_version": "7",
        "readiness": readiness,
        "score": round(100 * readiness),
        "threshold": threshold,
        "completeness": completeness,
        "completeness_threshold": COVER,
    }


def said(decided_at=None, verdict=None, reason=None, reopened_at=None, group_id="g"):
    return {
        "group_id": group_id, "decided_at": decided_at, "verdict": verdict, "reason": reason,
        "reopened_at": reopened_at,
    }  # fmt: skip


SAID = list(said())


class History:
    """Runs in order, with the states that the store would keep between them."""

    def __init__(self, settings=SETTINGS):
        self.settings = settings
        self.states = {}
        self.transitions = []

    def run(self, as_of, scores, verdicts=()):
        before = pd.DataFrame(list(self.states.values()), columns=list(STATE_COLUMNS))
        verdicts = pd.DataFrame(list(verdicts), columns=SAID)
        done = update_states(before, pd.DataFrame(scores), verdicts, self.settings, as_of)
        for row in done.states.astype(object).to_dict("records"):
            self.states[row["group_id"]] = row
        self.transitions += done.transitions.astype(object).to_dict("records")
        return list(done.status)

    def path(self, *readiness, every=7 * DAY):
        return [self.run(JUNE + n * every, [score(x)])[0] for n, x in enumerate(readiness)]

    @property
    def moves(self):
        return [(t["from_status"], t["to_status"], t["reason"]) for t in self.transitions]


@pytest.mark.parametrize(
    ("readiness", "completeness", "status"),
    [
        (0.5, 0.6, "qualified"),
        (0.4999, 0.6, "nurture"),
        (0.5, 0.5999, "nurture"),
        (1.0, 1.0, "qualified"),
        (0.0, 0.0, "nurture"),
    ],
)
def test_a_group_qualifies_at_both_its_thresholds(readiness, completeness, status):
    assert History().run(JUNE, [score(readiness, completeness)]) == [status]


def test_a_line_that_nobody_reaches_is_reached_by_nobody():
    history = History(replace(SETTINGS, dwell_days=0))
    history.run(JUNE, [score(0.9)])
    unreachable = [score(1.0, threshold=1.0), score(1.0, threshold=1.0, group_id="h")]
    assert history.run(JUNE + DAY, unreachable) == ["recycled", "nurture"]


def test_a_qualified_group_stays_between_the_lower_line_and_the_threshold():
    assert History().path(0.5, 0.4, 0.41, 0.4, 0.4) == ["qualified"] * 5


def test_a_qualified_group_leaves_after_the_dwell_time_below_the_lower_line():
    assert History().path(0.5, 0.39, 0.3, 0.39) == [
        *("qualified", "qualified", "qualified"),
        "recycled",
    ]


def test_a_day_at_the_lower_line_starts_the_dwell_time_anew():
    assert History().path(0.5, 0.39, 0.4, 0.39, 0.39, 0.39)[-2:] == ["qualified", "recycled"]


def test_a_group_below_the_lower_line_of_completeness_leaves_as_well():
    history = History()
    history.run(JUNE, [score(0.9)])
    assert history.run(JUNE + DAY, [score(0.9, 0.47)]) == ["qualified"]
    assert history.run(JUNE + 15 * DAY, [score(0.9, 0.47)]) == ["recycled"]


def test_who_left_may_qualify_again_and_is_not_in_nurture():
    history = History(replace(SETTINGS, dwell_days=0))
    assert history.path(0.5, 0.1, 0.45, 0.5) == ["qualified", "recycled", "recycled", "qualified"]
    assert history.moves == [
        ("nurture", "qualified", "reached"),
        ("qualified", "recycled", "fell"),
        ("recycled", "qualified", "reached"),
    ]


def test_a_transition_carries_all_that_decided_it():
    history = History()
    history.run(JUNE, [score(0.7, 0.8)])
    assert history.transitions == [
        {
            "group_id": "g", "as_of": JUNE, "from_status": "nurture", "to_status": "qualified",
            "reason": "reached", "score": 70, "readiness": 0.7, "threshold": LINE,
            "completeness": 0.8, "completeness_threshold": COVER, "model_version": "7",
            "alert": True,
        }
    ]  # fmt: skip
    assert tuple(history.transitions[0]) == TRANSITION_COLUMNS


@pytest.mark.parametrize("before", [0.1, 0.9])
@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
def test_a_verdict_goes_before_the_score(before, verdict):
    history = History()
    history.run(JUNE, [score(before)])
    new = said(JUNE + DAY, verdict)
    assert history.run(JUNE + 7 * DAY, [score(0.9)], [new]) == [verdict]
    assert history.transitions[-1]["reason"] == verdict
    assert not history.transitions[-1]["alert"]


def test_an_accepted_group_stays_accepted_however_its_score_falls():
    history, new = History(), said(JUNE - DAY, "accepted")
    for day in range(0, 400, 50):
        assert history.run(JUNE + day * DAY, [score(0.0)], [new]) == ["accepted"]
    assert len(history.transitions) == 1


@pytest.mark.parametrize(("days", "status"), [(89, "rejected"), (90, "recycled")])
def test_a_rejection_ends_so_long_after_the_verdict(days, status):
    history, no = History(), said(JUNE - DAY, "rejected", "no budget")
    assert history.run(JUNE, [score(0.9)], [no]) == ["rejected"]
    assert history.run(JUNE + (days - 1) * DAY, [score(0.9)], [no]) == [status]


def test_a_rejection_that_counted_once_does_not_count_again():
    history, no = History(), said(JUNE - DAY, "rejected")
    history.run(JUNE, [score(0.9)], [no])
    history.run(JUNE + 90 * DAY, [score(0.9)], [no])
    assert history.run(JUNE + 91 * DAY, [score(0.9)], [no]) == ["qualified"]


@pytest.mark.parametrize("reason", ["Too early", " too EARLY "])
def test_a_rejection_that_sends_back_recycles_at_once(reason):
    history = History()
    history.run(JUNE, [score(0.9)])
    back = said(JUNE + DAY, "rejected", reason)
    assert history.run(JUNE + 2 * DAY, [score(0.9)], [back]) == ["recycled"]
    assert history.moves[-1] == ("qualified", "recycled", "sent_back")
    assert history.run(JUNE + 3 * DAY, [score(0.9)], [back]) == ["qualified"]


def test_a_rejection_that_ended_before_the_first_run_recycles():
    history = History()
    assert history.run(JUNE, [score(0.1)], [said(JUNE - 90 * DAY, "rejected")]) == ["recycled"]
    assert history.moves == [("nurture", "recycled", "rejection_ended")]


def test_a_second_rejection_starts_the_time_anew_without_a_transition():
    history = History()
    history.run(JUNE, [score(0.9)], [said(JUNE - DAY, "rejected")])
    again = said(JUNE + 50 * DAY, "rejected")
    for day, status in ((60, "rejected"), (139, "rejected"), (140, "recycled")):
        assert history.run(JUNE + day * DAY, [score(0.9)], [again]) == [status]
    assert len(history.transitions) == 2


@pytest.mark.parametrize("verdict", ["accepted", "rejected", None])
def test_a_group_that_was_opened_again_begins_another_attempt(verdict):
    history = History()
    history.run(JUNE, [score(0.9)], [said(JUNE - DAY, verdict)] if verdict else [])
    opened = said(reopened_at=JUNE + 10 * DAY)
    assert history.run(JUNE + 11 * DAY, [score(0.9)], [opened]) == ["recycled"]
    assert history.moves[-1][1:] == ("recycled", "reopened")
    assert history.run(JUNE + 12 * DAY, [score(0.9)], [opened]) == ["qualified"]
    assert history.run(JUNE + 13 * DAY, [score(0.9)], [opened]) == ["qualified"]


def test_a_group_that_is_not_scored_keeps_its_state():
    history = History()
    history.run(JUNE, [score(0.9), score(0.1, group_id="h")])
    history.run(JUNE + 100 * DAY, [score(0.1, group_id="h")])
    assert history.states["g"]["status"] == "qualified"
    assert len(history.transitions) == 1


@pytest.mark.parametrize(("day", "alert"), [(29, False), (30, True)])
def test_within_the_pause_there_is_no_second_alert(day, alert):
    history = History(replace(SETTINGS, dwell_days=0))
    history.run(JUNE, [score(0.9)])
    history.run(JUNE + DAY, [score(0.1)])
    history.run(JUNE + day * DAY, [score(0.9)])
    assert [t["alert"] for t in history.transitions] == [True, False, alert]


def test_only_what_changed_has_a_new_state():
    history = History()
    before = pd.DataFrame(columns=list(STATE_COLUMNS))
    rows = pd.DataFrame([score(0.9), score(0.1, group_id="h")])
    done = update_states(before, rows, pd.DataFrame(columns=SAID), SETTINGS, JUNE)
    assert list(done.states["group_id"]) == ["g"]
    again = update_states(done.states, rows, pd.DataFrame(columns=SAID), SETTINGS, JUNE + DAY)
    assert again.states.empty
    assert again.transitions.empty
    assert not history.transitions


def test_the_input_is_left_as_it_was():
    before = pd.DataFrame(columns=list(STATE_COLUMNS))
    rows, nothing = pd.DataFrame([score(0.9)]), pd.DataFrame(columns=SAID)
    copies = before.copy(), rows.copy(), nothing.copy()
    update_states(before, rows, nothing, SETTINGS, JUNE)
    for frame, copy in zip((before, rows, nothing), copies, strict=True):
        pd.testing.assert_frame_equal(frame, copy)


# ---------------------------------------------------------------- a plain oracle


def oracle(state, row, news, settings, as_of):
    """The rules of one group and one run, one after the other, as a salesperson would say them."""
    old, share = state["status"], settings.leave_below
    reaches = row["readiness"] >= row["threshold"] and row["completeness"] >= COVER
    low = row["readiness"] < share * row["threshold"] or row["completeness"] < share * COVER
    below_since = (state["below_since"] or as_of) if low and old == "qualified" else None
    recycle, dwell = timedelta(settings.recycle_days), timedelta(settings.dwell_days)
    heard = news["decided_at"] and (
        state["verdict_at"] is None or news["decided_at"] > state["verdict_at"]
    )
    verdict_at = news["decided_at"] if heard else state["verdict_at"]
    begun = old in ("qualified", "accepted", "rejected")
    if heard and news["verdict"] == "accepted":
        new, reason = "accepted", "accepted"
    elif heard and news["reason"] == "too early":
        new, reason = "recycled", "sent_back"
    elif heard and as_of - verdict_at < recycle:
        new, reason = "rejected", "rejected"
    elif heard or (old == "rejected" and as_of - verdict_at >= recycle):
        new, reason = "recycled", "rejection_ended"
    elif begun and news["reopened_at"] and news["reopened_at"] >= state["since"]:
        new, reason = "recycled", "reopened"
    elif below_since and as_of - below_since >= dwell:
        new, reason = "recycled", "fell"
    elif old in ("nurture", "recycled") and reaches:
        new, reason = "qualified", "reached"
    else:
        new, reason = old, None
    alerted, pause = state["alerted_at"], timedelta(settings.alert_pause_days)
    alert = new == "qualified" != old and (alerted is None or as_of - alerted >= pause)
    after = {
        "status": new,
        "since": state["since"] if new == old else as_of,
        "below_since": below_since if new == "qualified" else None,
        "alerted_at": as_of if alert else alerted,
        "verdict_at": verdict_at,
    }
    return after, None if new == old else (as_of, old, new, reason, alert)


READINESS = st.sampled_from([0.0, 0.3, 0.39, 0.4, 0.45, 0.5, 0.7, 1.0])
DAYS = st.lists(st.integers(1, 60), min_size=6, max_size=6)  # between runs
STEP = st.tuples(
    READINESS,
    st.sampled_from([0.3, 0.48, 0.5, 0.6, 1.0]),  # completeness
    st.none() | st.tuples(
        st.integers(0, 40),  # days ago
        st.sampled_from(["accepted", "rejected"]),
        st.sampled_from(["too early", "no budget", None]),
    ),
    st.none() | st.integers(1, 40),  # days ago that the group was opened again
)  # fmt: skip
PATHS = st.lists(st.lists(STEP, min_size=6, max_size=6), min_size=1, max_size=12)
SOME_SETTINGS = st.builds(
    StateSettings,
    leave_below=st.sampled_from([0.5, 0.8, 1.0]),
    dwell_days=st.sampled_from([0, 7, 14, 30]),
    recycle_days=st.sampled_from([0, 30, 90]),
    sent_back_reasons=st.just(("too early",)),
    alert_pause_days=st.sampled_from([0, 14, 100]),
)
NOTHING_YET = {
    "status": "nurture", "since": None, "below_since": None, "alerted_at": None,
    "verdict_at": None,
}  # fmt: skip


def told(path, instants, group_id):
    """What sales said by each run, as far as it stands."""
    news, opened = None, None
    for (_, _, verdict, again), as_of in zip(path, instants, strict=True):
        if again is not None:
            opened = max(opened or JUNE - 99 * DAY, as_of - again * DAY)
        if verdict is not None:
            ago, what, why = verdict
            news = (as_of - ago * DAY - timedelta(hours=1), what, why)
        stands = news is not None and (opened is None or news[0] > opened)
        yield said(*(news if stands else (None, None, None)), opened, group_id)


@pytest.mark.slow
@hypothesis_settings(max_examples=40, deadline=None, derandomize=True)
@given(paths=PATHS, days=DAYS, settings=SOME_SETTINGS)
def test_random_paths_are_those_of_the_rules_said_one_after_the_other(paths, days, settings):
    instants = [JUNE + sum(days[: n + 1]) * DAY for n in range(len(days))]
    ids = [f"g{number}" for number in range(len(paths))]
    news = [list(told(path, instants, g)) for path, g in zip(paths, ids, strict=True)]
    history, states, expected = History(settings), dict.fromkeys(ids, NOTHING_YET), []
    for n, as_of in enumerate(instants):
        rows = [score(*path[n][:2], group_id=g) for path, g in zip(paths, ids, strict=True)]
        for g, row, said_of in zip(ids, rows, news, strict=True):
            states[g], move = oracle(states[g], row, said_of[n], settings, as_of)
            expected += [(g, *move)] if move else []
        found = history.run(as_of, rows, [said_of[n] for said_of in news])
        assert found == [states[g]["status"] for g in ids]
    columns = ("group_id", "as_of", "from_status", "to_status", "reason", "alert")
    assert [tuple(t[c] for c in columns) for t in history.transitions] == expected
    assert {reason for *_, reason, _ in expected} <= set(TRANSITION_REASONS)
    for g, state in states.items():
        kept = history.states.get(g, NOTHING_YET)
        assert {key: None if pd.isna(kept[key]) else kept[key] for key in state} == state


@hypothesis_settings(max_examples=6, deadline=None, derandomize=True)
@given(paths=st.lists(st.lists(READINESS, min_size=8, max_size=8), min_size=4, max_size=12),
       days=st.lists(st.integers(1, 13), min_size=8, max_size=8))  # fmt: skip
def test_nobody_leaves_before_the_dwell_time_has_passed_below_the_line(paths, days):
    history, as_of, line = History(), JUNE, SETTINGS.leave_below * LINE
    low_since = {}
    for n, gap in enumerate(days):
        as_of += gap * DAY
        for number, path in enumerate(paths):
            low_since[f"g{number}"] = (
                (low_since.get(f"g{number}") or as_of) if path[n] < line else None
            )
        before = len(history.transitions)
        history.run(as_of, [score(path[n], group_id=f"g{i}") for i, path in enumerate(paths)])
        for move in history.transitions[before:]:
            if move["reason"] == "fell":
                assert as_of - low_since[move["group_id"]] >= timedelta(SETTINGS.dwell_days)


# Stagnation


@pytest.mark.parametrize("status", ["qualified", "accepted", "nurture", "rejected", "recycled"])
@pytest.mark.parametrize(
    ("days", "stagnant"), [(0, False), (30, False), (30.01, True), (400, True), (None, True)]
)
def test_a_group_of_sales_is_stagnant_where_nobody_was_active_for_long(status, days, stagnant):
    as_of = datetime(2024, 6, 1)
    last = None if days is None else as_of - timedelta(days=days)
    of_sales = status in ("qualified", "accepted")
    assert is_stagnant(status, last, as_of, StateSettings()) == (of_sales and stagnant)
