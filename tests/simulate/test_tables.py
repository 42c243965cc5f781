"""The contract's integrity, checked with plain pandas."""

from __future__ import annotations

import pandas as pd
import pytest
from mqbg.contract import TABLES

START, END = pd.Timestamp("2024-01-01"), pd.Timestamp("2025-12-29")
JAPANESE = r"[\u3040-\u30ff\u4e00-\u9fff]"
PRIMARY_KEYS = {
    "accounts": ["account_id"],
    "contacts": ["contact_id"],
    "solutions": ["solution_id"],
    "contents": ["content_id"],
    "buying_groups": ["group_id"],
    "members": ["group_id", "contact_id", "joined_at"],
    "stage_events": ["group_id", "stage"],
    "verdicts": ["group_id"],
    "answers": ["group_id", "contact_id", "question"],
    "costs": ["month", "channel"],
}
HOMES = {
    "account_id": "accounts",
    "contact_id": "contacts",
    "solution_id": "solutions",
    "group_id": "buying_groups",
    "content_id": "contents",
}


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_table_has_the_columns_of_the_contract(world, table):
    assert list(world[table].columns) == list(TABLES[table].column_names)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_what_must_be_filled_is_filled(world, table):
    rows = world[table]
    must = [column.name for column in TABLES[table].columns if not column.nullable]
    assert len(rows) > 0
    assert rows[must].notna().all(axis=None)


@pytest.mark.parametrize("table", sorted(PRIMARY_KEYS))
def test_keys_are_unique(world, table):
    assert not world[table].duplicated(PRIMARY_KEYS[table]).any()


@pytest.mark.parametrize("table", sorted(TABLES))
def test_no_key_dangles(world, table):
    rows = world[table]
    for column, home in HOMES.items():
        if column in rows and home != table:
            known = set(world[home][column])
            assert set(rows[column].dropna()) <= known, column


def test_every_activity_has_a_contact_or_a_group(world):
    activities = world["activities"]
    assert (activities.contact_id.notna() | activities.group_id.notna()).all()


def test_rows_of_one_member_follow_each_other(world):
    members = world["members"].sort_values(["group_id", "contact_id", "joined_at"])
    assert ((members.left_at > members.joined_at) | members.left_at.isna()).all()
    following = members.groupby(["group_id", "contact_id"]).joined_at.shift(-1)
    before = members[following.notna()]
    assert (before.left_at <= following.dropna()).all()


def test_nobody_joins_before_the_group_exists(world):
    members = world["members"].merge(world["buying_groups"], on="group_id")
    assert (members.joined_at >= members.created_at).all()


def test_all_times_lie_in_the_history(world):
    for table, contract in TABLES.items():
        for column in contract.columns:
            if column.dtype == "timestamp":
                seen = world[table][column.name].dropna()
                assert str(seen.dtype) == "datetime64[us]"
                assert seen.between(START, END, inclusive="left").all(), (table, column.name)


def test_nothing_is_recorded_before_it_occurred(world):
    activities = world["activities"]
    assert (activities.recorded_at.fillna(END) >= activities.occurred_at).all()


def test_an_account_has_one_to_three_groups_for_different_solutions(world):
    groups = world["buying_groups"]
    assert len(groups) == 600
    assert set(groups.groupby("account_id").size()) == {1, 2, 3}
    assert not groups.duplicated(["account_id", "solution_id"]).any()


def test_groups_have_at_least_two_contacts_and_at_most_thirty(world):
    sizes = world["members"].groupby("group_id").contact_id.nunique()
    assert len(sizes) == 600
    assert sizes.min() >= 2
    assert 12 < sizes.max() <= 30
    assert (sizes <= 12).mean() > 0.95


def test_members_leave_and_change_role(world):
    members = world["members"]
    assert members.left_at.notna().any()
    assert (members.groupby(["group_id", "contact_id"]).role.nunique() > 1).any()


def test_some_contacts_are_in_two_groups_and_some_come_from_another_account(world):
    members = world["members"]
    assert (members.groupby("contact_id").group_id.nunique() > 1).any()
    homes = members.merge(world["contacts"], on="contact_id").merge(
        world["buying_groups"], on="group_id", suffixes=("", "_of_group")
    )
    assert (homes.account_id != homes.account_id_of_group).mean() == pytest.approx(0.025, abs=0.02)


def test_names_and_titles_are_japanese_and_english(world):
    for table, column in (("accounts", "name"), ("contacts", "full_name"), ("contacts", "title")):
        share = world[table][column].dropna().str.contains(JAPANESE).mean()
        assert 0.35 < share < 0.75, column


def test_mail_addresses_are_unique_and_reserved(world):
    email = world["contacts"].email.dropna()
    assert email.is_unique
    assert email.str.fullmatch(r"[a-z.0-9]+@[a-z0-9-]+\.example").all()


def test_stages_come_in_an_order_that_makes_sense(world):
    stages = world["stage_events"].pivot(index="group_id", columns="stage", values="occurred_at")
    created = world["buying_groups"].set_index("group_id").created_at
    assert (stages.open == created.loc[stages.index]).all()
    assert (stages.won.dropna() > stages.opportunity[stages.won.notna()]).all()
    assert (stages.lost.dropna() > stages.open[stages.lost.notna()]).all()
    assert (stages.reopened.dropna() > stages.lost[stages.reopened.notna()]).all()
    assert stages.reopened.notna().any()
    assert (stages.lost.notna() & stages.opportunity.isna()).any()


def test_verdicts_fall_before_the_conversion(world):
    events = world["stage_events"]
    converted = events[events.stage == "opportunity"].set_index("group_id").occurred_at
    verdicts = world["verdicts"]
    moment = verdicts.group_id.map(converted).fillna(END)
    assert (verdicts.decided_at < moment).all()
    assert set(verdicts.verdict) == {"accepted", "rejected"}


def test_contents_serve_all_six_buying_jobs(world):
    assert world["contents"].buying_job.nunique() == 6


def test_answers_come_from_members_while_they_are_in(world):
    answers = world["answers"].merge(world["members"], on=["group_id", "contact_id"])
    there = (answers.answered_at >= answers.joined_at) & (
        answers.left_at.isna() | (answers.answered_at <= answers.left_at)
    )
    keys = ["group_id", "contact_id", "question"]
    assert there.groupby([answers[key] for key in keys]).any().all()
    assert set(answers.question) == {"problem", "position", "timing", "budget", "competitor"}
