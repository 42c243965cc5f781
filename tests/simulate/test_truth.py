"""The truth follows from the tables: a slow oracle in plain Python recomputes it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

MONTHS = pd.date_range("2024-02-01", "2025-12-01", freq="MS")


class Oracle:
    """The formula of `parameters.TrueParameters`, row by row, from tables and parameters.json."""

    def __init__(self, world) -> None:
        self.p = json.loads((world.folder / "truth" / "parameters.json").read_text())
        records = world["activities"].dropna(subset="contact_id")
        self.by_contact = defaultdict(list)
        seen = set()
        for row in records.itertuples(index=False):
            if row.activity_id not in seen:
                seen.add(row.activity_id)
                self.by_contact[row.contact_id].append(row)
        self.members = defaultdict(list)
        for row in world["members"].itertuples(index=False):
            self.members[row.group_id].append(row)
        facts = world["buying_groups"].merge(world["accounts"], on="account_id")
        self.facts = {row.group_id: row for row in facts.itertuples(index=False)}

    def counts(self, activity, group: str) -> bool:
        if not pd.isna(activity.group_id):
            return activity.group_id == group
        return pd.isna(activity.solution_id) or (
            activity.solution_id == self.facts[group].solution_id
        )

    def strength(self, contact: str, group: str, instant: datetime) -> float:
        total = 0.0
        for activity in self.by_contact[contact]:
            if activity.occurred_at < instant and self.counts(activity, group):
                age = (instant - activity.occurred_at) / timedelta(days=1)
                strength = self.p["strength"].get(activity.kind, 0.0)
                total += strength * 0.5 ** (age / self.p["half_life_days"])
        return total

    def base(self, group: str, instant: datetime) -> float:
        facts = self.facts[group]
        size = math.log10(facts.employees) - self.p["size_centre"]
        return (
            self.p["intercept"]
            + self.p["industry"][facts.industry]
            + self.p["tier"][facts.tier]
            + self.p["size"] * max(-1.0, min(1.0, size))
            + self.p["season"][instant.month - 1]
        )

    def present(self, group: str, instant: datetime) -> list[tuple[str, float]]:
        """Role and strength of the members at the instant."""
        return [
            (row.role, self.strength(row.contact_id, group, instant))
            for row in self.members[group]
            if row.joined_at < instant and (pd.isna(row.left_at) or row.left_at >= instant)
        ]

    def log_odds(self, group: str, instant: datetime) -> float:
        total = self.base(group, instant)
        awake = set()
        for role, strength in self.present(group, instant):
            total += self.p["role_weight"][role] * (1 - math.exp(-strength / self.p["saturation"]))
            if strength > self.p["engaged_above"]:
                awake.add(role)
        key_roles = self.p["key_roles"]
        total += self.p["coverage"] * len(awake & set(key_roles)) / len(key_roles)
        return total + self.p["synergy"] * (set(self.p["synergy_roles"]) <= awake)


def telling_groups(world) -> list[str]:
    """One group for each case that could go wrong, and some others."""
    members = world["members"]
    changed = members[members.duplicated(["group_id", "contact_id"])].group_id
    shared = members[members.groupby("contact_id").group_id.transform("nunique") > 1].group_id
    left = members[members.left_at.notna()].group_id
    large = members.groupby("group_id").size().nlargest(1).index
    events = world["stage_events"]
    reopened = events[events.stage == "reopened"].group_id
    converted = events[events.stage == "opportunity"].group_id
    cases = [*changed[:2], *shared[:2], *left[:1], *large, *reopened[:1], *converted[:2]]
    return sorted({*cases, "G000001", "G000300", "G000600"})


@pytest.fixture(scope="module")
def oracle(world) -> Oracle:
    return Oracle(world)


def test_weekly_log_odds_follow_from_the_tables(world, oracle):
    hazard = world["truth/hazard"]
    rows = hazard[hazard.group_id.isin(telling_groups(world))]
    assert rows.group_id.nunique() >= 8
    expected = [oracle.log_odds(row.group_id, row.week) for row in rows.itertuples()]
    np.testing.assert_allclose(rows.log_odds, expected, rtol=0, atol=1e-9)


def test_monthly_log_odds_and_base_follow_from_the_tables(world, oracle):
    base = world["truth/base"]
    rows = base[base.group_id.isin(telling_groups(world))]
    expected = [oracle.log_odds(row.group_id, row.as_of) for row in rows.itertuples()]
    np.testing.assert_allclose(rows.log_odds, expected, rtol=0, atol=1e-9)
    expected = [oracle.base(row.group_id, row.as_of) for row in rows.itertuples()]
    np.testing.assert_allclose(rows.base_log_odds, expected, rtol=0, atol=1e-9)


def test_hazard_is_the_sigmoid_of_the_log_odds(world):
    hazard = world["truth/hazard"]
    expected = [1 / (1 + math.exp(-x)) for x in hazard.log_odds]
    np.testing.assert_allclose(hazard.hazard, expected, rtol=1e-12)
    assert hazard.hazard.between(0, 1).all()


def test_hazard_has_every_week_since_creation(world):
    groups = world["buying_groups"]
    mondays = pd.date_range("2024-01-01", periods=104, freq="7D")
    expected = sum(int((mondays > created).sum()) for created in groups.created_at)
    hazard = world["truth/hazard"]
    assert len(hazard) == expected
    assert not hazard.duplicated(["group_id", "week"]).any()


def eligible_from_tables(world, instants) -> pd.DataFrame:
    """Group and instant where nothing closed the group, or it was reopened since."""
    events = world["stage_events"].pivot(index="group_id", columns="stage", values="occurred_at")
    rows = []
    for instant in instants:
        closing = events[["opportunity", "won", "lost"]]
        last = closing.where(closing.lt(instant)).max(axis=1)
        back = events.reopened.where(events.reopened < instant)
        free = (events.open < instant) & (last.isna() | (back > last))
        rows.append(pd.DataFrame({"group_id": events.index[free], "instant": instant}))
    return pd.concat(rows)


def test_at_risk_is_eligible_at_the_monday(world):
    hazard = world["truth/hazard"]
    weeks = sorted(hazard.week.unique())
    expected = eligible_from_tables(world, weeks)
    found = hazard[hazard.at_risk]
    assert set(zip(found.group_id, found.week, strict=True)) == set(
        zip(expected.group_id, expected.instant, strict=True)
    )


def test_base_has_every_eligible_group_of_every_month(world):
    base = world["truth/base"]
    expected = eligible_from_tables(world, MONTHS)
    assert set(zip(base.group_id, base.as_of, strict=True)) == set(
        zip(expected.group_id, expected.instant, strict=True)
    )


def test_conversions_happen_as_often_as_the_hazard_says(world):
    hazard = world["truth/hazard"].query("at_risk")
    converted = (world["stage_events"].stage == "opportunity").sum()
    spread = math.sqrt((hazard.hazard * (1 - hazard.hazard)).sum())
    assert abs(converted - hazard.hazard.sum()) < 4 * spread


def test_a_conversion_falls_into_a_week_at_risk(world):
    events = world["stage_events"].query("stage == 'opportunity'")
    hazard = world["truth/hazard"].query("at_risk").groupby("group_id").week.max()
    last = events.group_id.map(hazard)
    assert (events.occurred_at >= last).all()
    assert (events.occurred_at < last + pd.Timedelta(days=7)).all()


def test_about_a_quarter_to_a_fifth_of_the_groups_convert(world):
    converted = (world["stage_events"].stage == "opportunity").sum()
    assert 0.17 < converted / len(world["buying_groups"]) < 0.29


def area_under_curve(positive: np.ndarray, score: np.ndarray) -> float:
    """Chance that a positive scores above a negative, by counting pairs."""
    ahead = score[positive][:, None] - score[~positive][None, :]
    return float((ahead > 0).mean() + (ahead == 0).mean() / 2)


def test_true_log_odds_rank_conversions_well_but_not_perfectly(world):
    base = world["truth/base"]
    events = world["stage_events"].query("stage == 'opportunity'").set_index("group_id")
    until = base.as_of + pd.Timedelta(days=90)
    known = until <= pd.Timestamp("2025-12-29")
    moment = base.group_id.map(events.occurred_at)
    converted = ((moment >= base.as_of) & (moment < until)).to_numpy()
    found = area_under_curve(converted[known], base.log_odds.to_numpy()[known])
    assert 0.77 < found < 0.87


def test_contributions_of_every_group_sum_to_its_log_odds(world):
    keys = ["group_id", "as_of"]
    parts = world["truth/shapley"].groupby(keys).contribution.sum()
    base = world["truth/base"].set_index(keys)
    total = base.base_log_odds.add(parts.reindex(base.index).fillna(0.0))
    np.testing.assert_allclose(total, base.log_odds, rtol=0, atol=1e-9)
    assert parts.index.isin(base.index).all()


def test_shapley_rows_are_the_members_of_the_moment(world):
    instant = pd.Timestamp("2025-03-01")
    shapley, base, members = world["truth/shapley"], world["truth/base"], world["members"]
    found = shapley[shapley.as_of == instant]
    there = members[
        (members.joined_at < instant)
        & (members.left_at.isna() | (members.left_at >= instant))
        & members.group_id.isin(base.group_id[base.as_of == instant])
    ]
    assert len(found) > 500
    columns = ["group_id", "contact_id", "role"]
    assert set(found[columns].itertuples(index=False, name=None)) == set(
        there[columns].itertuples(index=False, name=None)
    )


def test_most_active_member_is_the_strongest_about_half_of_the_time(world):
    strongest = world["truth/shapley"].sort_values("contribution", kind="stable")
    strongest = strongest[strongest.as_of == "2025-03-01"]
    strongest = strongest[strongest.groupby("group_id").contact_id.transform("size") > 1]
    activities = world["activities"].drop_duplicates("activity_id")
    recent = activities[
        activities.occurred_at.between("2025-01-30", "2025-03-01", inclusive="left")
        & ~activities.kind.isin(["email_sent", "call_made"])
    ]
    count = recent.groupby("contact_id").size()
    top = strongest.groupby("group_id").tail(1).query("contribution > 0.05")
    active = strongest.assign(n=strongest.contact_id.map(count).fillna(0)).sort_values(
        ["group_id", "n", "contact_id"]
    )
    guess = active.groupby("group_id").tail(1).set_index("group_id").contact_id
    right = (top.group_id.map(guess) == top.contact_id).mean()
    assert 0.38 < right < 0.65
