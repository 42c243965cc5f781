"""Each trap that the package's docstring names is really there."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from mqbg.settings import DEFAULT_ACTIVITY_KINDS


def test_known_kinds_are_the_settings_kinds_and_one_is_not(world):
    assert set(world["activities"].kind) - set(DEFAULT_ACTIVITY_KINDS) == {"contract_portal_login"}
    written_by_imports = {"sales_email", "sales_task"}
    assert set(DEFAULT_ACTIVITY_KINDS) - written_by_imports <= set(world["activities"].kind)


def test_portal_logins_come_only_after_a_conversion_of_a_group_of_the_contact(world):
    activities, events = world["activities"], world["stage_events"]
    logins = activities[activities.kind == "contract_portal_login"]
    converted = events[events.stage == "opportunity"].set_index("group_id").occurred_at
    first = world["members"].assign(moment=lambda m: m.group_id.map(converted))
    earliest = first.groupby("contact_id").moment.min()
    assert len(logins) > 100
    assert (logins.occurred_at > logins.contact_id.map(earliest)).all()


def test_a_scanner_opens_every_mail_within_seconds(world):
    activities = world["activities"].drop_duplicates("activity_id")
    sent = activities[activities.kind == "email_sent"].sort_values("occurred_at")
    opened = activities[activities.kind == "email_open"].sort_values("occurred_at")
    answered = pd.merge_asof(
        sent[["contact_id", "occurred_at"]],
        opened[["contact_id", "occurred_at"]].assign(opened_at=opened.occurred_at),
        on="occurred_at",
        by="contact_id",
        direction="forward",
        tolerance=pd.Timedelta(seconds=8),
    )
    by_contact = answered.opened_at.notna().groupby(answered.contact_id).mean()
    assert (by_contact == 1).mean() == pytest.approx(0.15, abs=0.06)
    assert ((by_contact > 0.1) & (by_contact < 1)).mean() < 0.01


def test_mail_and_what_is_done_to_people_have_no_true_strength(world):
    strength = json.loads((world.folder / "truth" / "parameters.json").read_text())["strength"]
    assert strength["email_open"] == 0
    assert not {"email_sent", "call_made", "contract_portal_login"} & set(strength)


def test_true_strength_ranks_kinds_otherwise_than_the_marketer(world):
    strength = json.loads((world.folder / "truth" / "parameters.json").read_text())["strength"]
    points = {kind: DEFAULT_ACTIVITY_KINDS[kind].points for kind in strength}
    assert strength["pricing_view"] > 3 * strength["event_attended"]
    assert points["pricing_view"] < points["event_attended"]


def test_about_one_in_twenty_records_is_days_to_weeks_late(world):
    activities = world["activities"].drop_duplicates("activity_id")
    delay = activities.recorded_at - activities.occurred_at
    late = delay > pd.Timedelta(0)
    assert late.mean() == pytest.approx(0.05, abs=0.01)
    assert pd.Timedelta("5D") < delay[late].median() < pd.Timedelta("15D")
    assert activities.recorded_at.isna().mean() == pytest.approx(0.47, abs=0.05)


def test_about_one_activity_in_a_hundred_stands_twice_the_second_time_later(world):
    activities = world["activities"]
    again = activities.duplicated("activity_id")
    assert again.mean() == pytest.approx(0.01, abs=0.003)
    known = activities.recorded_at.fillna(activities.occurred_at)
    first = known[~again].set_axis(activities.activity_id[~again])
    assert (known[again].to_numpy() > first.loc[activities.activity_id[again]].to_numpy()).all()
    rest = [c for c in activities if c != "recorded_at"]
    twice = activities[activities.activity_id.isin(activities.activity_id[again])]
    assert len(twice[rest].drop_duplicates()) == again.sum()


def test_some_activities_are_for_a_solution_that_no_group_of_the_contact_wants(world):
    activities = world["activities"]
    wanted = world["members"].merge(world["buying_groups"], on="group_id")
    pairs = set(zip(wanted.contact_id, wanted.solution_id, strict=True))
    named = activities[
        activities.solution_id.notna() & activities.contact_id.isin(wanted.contact_id)
    ]
    stray = [pair not in pairs for pair in zip(named.contact_id, named.solution_id, strict=True)]
    assert 0.05 < sum(stray) / len(named) < 0.4


def test_some_activities_are_logged_on_the_group_without_a_person(world):
    alone = world["activities"].query("contact_id.isna()")
    assert len(alone) > 100
    assert set(alone.kind) == {"meeting", "call_made"}


def test_people_act_before_they_join(world):
    early = world["activities"].merge(
        world["members"].groupby("contact_id").joined_at.min(), on="contact_id"
    )
    assert (early.occurred_at < early.joined_at).mean() > 0.01


def test_most_activities_carry_no_group(world):
    assert 0.05 < world["activities"].group_id.notna().mean() < 0.3
