"""Facts of the group and the account, which do not depend on who is in the group."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

AS_OF = datetime(2024, 6, 1)
MICROSECOND = timedelta(microseconds=1)


def ago(days):
    return AS_OF - timedelta(days=days)


@pytest.fixture(scope="module")
def rows(features_at):
    tables = {
        "accounts": [
            {"account_id": "known", "name": "K", "industry": "鉄鋼", "employees": 300, "tier": "1"}
        ],
        "buying_groups": [
            {"group_id": "busy", "account_id": "known", "created_at": ago(10)},
            {"group_id": "quiet", "account_id": "quiet account"},
            *(
                {"group_id": f"{what}{number}", "account_id": "history"}
                for what, times in (("open", 1), ("converted", 2), ("lost", 1), ("again", 1))
                for number in range(times)
            ),
            {"group_id": "to come", "account_id": "history", "created_at": AS_OF},
        ],
        "stage_events": [
            {"group_id": "busy", "stage": "discovery", "occurred_at": ago(9)},
            {"group_id": "busy", "stage": "demo", "occurred_at": ago(4)},
            {"group_id": "busy", "stage": "poc", "occurred_at": AS_OF},
            {"group_id": "converted0", "stage": "opportunity", "occurred_at": ago(50)},
            {"group_id": "converted1", "stage": "opportunity", "occurred_at": AS_OF - MICROSECOND},
            {"group_id": "lost0", "stage": "lost", "occurred_at": ago(50)},
            {"group_id": "again0", "stage": "opportunity", "occurred_at": ago(60)},
            {"group_id": "again0", "stage": "lost", "occurred_at": ago(50)},
            {"group_id": "again0", "stage": "reopened", "occurred_at": ago(40)},
            {"group_id": "open0", "stage": "opportunity", "occurred_at": AS_OF},
        ],
        "verdicts": [
            {"group_id": "busy", "verdict": "rejected", "decided_at": ago(8)},
            {"group_id": "busy", "verdict": "accepted", "decided_at": ago(3)},
            {"group_id": "busy", "verdict": "rejected", "decided_at": AS_OF},
        ],
        "answers": [
            {"group_id": "busy", "question": q, "answer": "yes", "answered_at": at}
            for q, at in (
                ("budget", ago(5)),
                ("budget", ago(2)),
                ("timing", ago(6)),
                ("rival", AS_OF),
            )
        ],
    }
    return features_at(tables, AS_OF)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("group_age_days", 10),
        ("stage_changes", 2),
        ("days_in_stage", 4),
        ("verdicts_rejected", 1),
        ("days_since_verdict", 3),
        ("questions_answered", 2),  # an answer given again is the same question
        ("days_since_answer", 2),
        ("solution", "s1"),
        ("industry", "鉄鋼"),
        ("employees", 300),
        ("tier", "1"),
        ("country", None),
        ("month", 6),
    ],
)
def test_facts_are_those_known_before_the_cutoff(rows, name, value):
    assert rows["busy"][name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stage_changes", 0),
        ("days_in_stage", None),
        ("verdicts_rejected", 0),
        ("days_since_verdict", None),
        ("questions_answered", 0),
        ("days_since_answer", None),
        ("members_left_90d", 0),
        ("employees", None),
    ],
)
def test_nothing_is_zero_for_counts_and_null_for_the_rest(rows, name, value):
    assert rows["quiet"][name] == value


def test_an_account_without_other_groups_has_the_prior_rate(rows):
    assert rows["quiet"]["account_conversion_rate"] == 0.05


def test_rates_of_an_account_are_those_of_its_other_groups(rows):
    # Four other groups exist; two of them and the reopened one converted, two were lost.
    assert rows["open0"]["account_conversion_rate"] == (3 + 1) / (4 + 20)
    assert rows["open0"]["account_loss_rate"] == (2 + 1) / (4 + 20)


def test_a_reopened_group_does_not_count_its_own_past(rows):
    assert rows["again0"]["account_conversion_rate"] == (2 + 1) / (4 + 20)
    assert rows["again0"]["account_loss_rate"] == (1 + 1) / (4 + 20)
