"""What became of other groups, against plain Python on random worlds."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from mqbg.features.declare.expressions import cutoff_literal
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.features.tables.group_facts import group_facts
from mqbg.features.time_rules.eligible_groups import eligible_groups
from mqbg.settings import Settings, TargetSettings

AS_OF = datetime(2024, 6, 1)
DAY = timedelta(days=1)
RATES = ("account_conversion_rate", "industry_conversion_rate")
SETTINGS = Settings(target=TargetSettings(closed_stages=("won", "lost", "dropped")))
STAGES = ("demo", "demo", "opportunity", "opportunity", "won", "lost", "dropped", "reopened")


def facts_of(source, *, few):
    groups = eligible_groups(source.tables, source.settings, cutoff_literal(AS_OF)).cache()
    facts = group_facts(
        source.tables,
        source.settings,
        find_vocabulary(source, AS_OF),
        groups,
        cutoff_literal(AS_OF),
        subset=few,
    )
    return {row["group_id"]: row for row in facts.to_pyarrow().to_pylist()}


def world(seed):
    """Some 40 groups of 6 accounts, with more stages than any real ones have."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    group_ids = [f"g{number}" for number in range(40)]

    def instant():
        return AS_OF + draw.choice((-200, -90, -30, -3, 0, 5)) * DAY

    return {
        "accounts": [
            {"account_id": f"a{n}", "name": "A", "industry": draw.choice(("steel", "retail", None))}
            for n in range(6)
        ],
        "buying_groups": [
            {
                "group_id": group_id,
                "account_id": f"a{draw.randrange(6)}",
                "solution_id": draw.choice(("s1", "s2")),
                "created_at": instant(),
            }
            for group_id in group_ids
        ],
        "stage_events": [
            {"group_id": draw.choice(group_ids), "stage": stage, "occurred_at": instant()}
            for stage in draw.choices(STAGES, k=70)
        ],
    }


def past_stages(tables, group):
    return [
        row
        for row in tables["stage_events"]
        if row["group_id"] == group["group_id"] and row["occurred_at"] < AS_OF
    ]


def is_open(tables, group):
    ends = ("opportunity", "won", "lost", "dropped")
    past = past_stages(tables, group)
    closed = max((r["occurred_at"] for r in past if r["stage"] in ends), default=None)
    again = max((r["occurred_at"] for r in past if r["stage"] == "reopened"), default=None)
    return closed is None or (again is not None and again > closed)


def expected(tables, group):
    existing = [row for row in tables["buying_groups"] if row["created_at"] < AS_OF]
    others = [row for row in existing if row is not group]
    siblings = [row for row in others if row["account_id"] == group["account_id"]]
    stages = [event["stage"] for row in siblings for event in past_stages(tables, row)]
    industry = {row["account_id"]: row["industry"] for row in tables["accounts"]}
    own = industry[group["account_id"]]
    peers = [
        row
        for row in others
        if row["solution_id"] == group["solution_id"] and industry[row["account_id"]] == own
    ]
    converted = [
        row for row in peers if any(e["stage"] == "opportunity" for e in past_stages(tables, row))
    ]
    return {
        "account_groups": len(siblings),
        "account_open_groups": sum(is_open(tables, row) for row in siblings),
        "account_conversions": stages.count("opportunity"),
        "account_losses": stages.count("lost") + stages.count("dropped"),
        "peers": len(peers) if own else None,
        "peers_converted": len(converted) if own else None,
    }


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))]
)
def test_facts_of_other_groups_equal_plain_python(open_tables, seed, few):
    tables = world(seed)
    got = facts_of(open_tables(tables, SETTINGS), few=few)
    groups = {row["group_id"]: row for row in tables["buying_groups"]}
    assert len(got) > 5
    for group_id, facts in got.items():
        wanted = expected(tables, groups[group_id])
        assert {name: facts[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_open_groups_of_an_account_are_the_eligible_ones(open_tables, seed):
    source = open_tables(world(seed), SETTINGS)
    eligible = (
        eligible_groups(source.tables, source.settings, cutoff_literal(AS_OF))
        .to_pyarrow()
        .to_pylist()
    )
    accounts = [row["account_id"] for row in eligible]
    facts = facts_of(source, few=False)
    for row in eligible:
        others = accounts.count(row["account_id"]) - 1
        assert facts[row["group_id"]]["account_open_groups"] == others


def test_a_won_group_is_no_loss_even_where_won_is_the_only_closed_stage(open_tables):
    settings = Settings(target=TargetSettings(closed_stages=("won",)))
    tables = {
        "buying_groups": [{"group_id": "open"}, {"group_id": "closed"}],
        "stage_events": [
            {"group_id": "closed", "stage": stage, "occurred_at": AS_OF - DAY}
            for stage in ("opportunity", "won", "lost")
        ],
    }
    facts = facts_of(open_tables(tables, settings), few=False)["open"]
    assert (facts["account_conversions"], facts["account_losses"]) == (1, 0)


def test_rates_are_drawn_towards_the_prior(features_at):
    tables = {
        "accounts": [
            {"account_id": name, "name": name, "industry": "steel"} for name in ("a1", "a2")
        ],
        "buying_groups": [
            {"group_id": "alone", "account_id": "a2"},
            *({"group_id": f"g{number}", "account_id": "a1"} for number in range(5)),
        ],
        "stage_events": [
            {"group_id": f"g{number}", "stage": "opportunity", "occurred_at": AS_OF - 9 * DAY}
            for number in range(3)
        ],
    }
    row = features_at(tables, AS_OF, names=RATES)["alone"]
    assert row["account_conversion_rate"] == 0.05
    assert row["industry_conversion_rate"] == (3 + 1) / (5 + 20)


def test_an_account_of_unknown_industry_has_no_industry_to_compare_with(features_at):
    tables = {"buying_groups": [{"group_id": "g1"}, {"group_id": "g2"}]}
    row = features_at(tables, AS_OF, names=RATES)["g1"]
    assert row["industry_conversion_rate"] is None


def test_shared_members_are_those_of_two_groups_at_the_cutoff(features_at):
    left = {"left_at": AS_OF - 20 * DAY}
    tables = {
        "members": [
            {"group_id": "g1", "contact_id": "both"},
            {"group_id": "g2", "contact_id": "both"},
            {"group_id": "g1", "contact_id": "once"},
            {"group_id": "g2", "contact_id": "once", **left},
            {"group_id": "g1", "contact_id": "only"},
        ]
    }
    names = ["shared_members", "shared_members_share"]
    row = features_at(tables, AS_OF, names=names)["g1"]
    assert row["shared_members"] == 1
    assert row["shared_members_share"] == pytest.approx(1 / 3)
