"""Buying jobs: which were touched, by how many, and whether the group is about to decide."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from mqbg.contract import BUYING_JOBS

AS_OF = datetime(2024, 6, 1)
DAY = timedelta(days=1)


def view(contact_id, job, days, **more):
    return {
        "contact_id": contact_id,
        "content_id": f"about {job}",
        "occurred_at": AS_OF - days * DAY,
        **more,
    }


@pytest.fixture(scope="module")
def rows(features_at):
    tables = {
        "contents": [{"content_id": f"about {job}", "buying_job": job} for job in BUYING_JOBS],
        "members": [
            {"group_id": group_id, "contact_id": f"{name} of {group_id}"}
            for group_id, names in (("g1", "abcd"), ("back", "a"), ("silent", "a"))
            for name in names
        ],
        "activities": [
            view("a of g1", "validation", 3),
            view("a of g1", "validation", 30),
            view("b of g1", "consensus_creation", 90),
            view("c of g1", "consensus_creation", 91),  # over the edge of the window
            view("c of g1", "problem_identification", 2),
            view("d of g1", "solution_exploration", 2, kind="email_sent"),  # ours, not theirs
            view("back", "validation", 0),  # not known yet
            view("a of back", "supplier_selection", 40),
            view("a of back", "requirements_building", 20),
            view("a of back", "supplier_selection", 10),
            view("a of back", "problem_identification", 1),
        ],
    }
    return features_at(tables, AS_OF, names=[*OF_FOUR, "returns_per_member"])


OF_FOUR = {
    "job_validation_90d": 2,
    "job_consensus_creation_90d": 1,
    "job_problem_identification_90d": 1,
    "job_solution_exploration_90d": 0,
    "jobs_touched_90d": 3,
    "deciding_share_90d": 3 / 4,
    "deciding_members_90d": 2,
    "deciding_members_share_90d": 2 / 4,
    "returns": 0,
}


def test_jobs_are_those_of_the_contents_they_saw_in_90_days(rows):
    assert {name: rows["g1"][name] for name in OF_FOUR} == OF_FOUR


def test_going_back_to_an_earlier_job_counts_by_weeks(rows):
    assert rows["back"]["returns"] == 2
    assert rows["back"]["returns_per_member"] == 2


def test_a_silent_group_touched_no_job_and_decides_nothing(rows):
    row = rows["silent"]
    assert row["jobs_touched_90d"] == row["deciding_members_90d"] == row["returns"] == 0
    assert row["deciding_share_90d"] is None
    assert row["deciding_members_share_90d"] == 0
