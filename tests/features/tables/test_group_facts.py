"""Facts of the group and the account, which do not depend on who is in the group."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from mqbg.features.declare.expressions import cutoff_literal
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.features.engines.open_query_runner import open_query_runner
from mqbg.features.tables.group_facts import fact_types, group_facts
from mqbg.features.time_rules.eligible_groups import eligible_groups
from mqbg.settings import RoleRequirement, Settings, SolutionSettings, TargetSettings

AS_OF = datetime(2024, 6, 1)
MICROSECOND = timedelta(microseconds=1)


def ago(days):
    return AS_OF - timedelta(days=days)


def facts_query(source, groups=None, as_of=None, *, few=False):
    as_of = cutoff_literal(AS_OF) if as_of is None else as_of
    if groups is None:
        groups = eligible_groups(source.tables, source.settings, as_of)
    vocabulary = find_vocabulary(source, AS_OF)
    return group_facts(source.tables, source.settings, vocabulary, groups, as_of, subset=few)


def facts_of(source, *ids, few=False):
    groups = eligible_groups(source.tables, source.settings, cutoff_literal(AS_OF))
    if ids:
        groups = groups.filter(groups.group_id.isin(ids))
    rows = facts_query(source, groups.cache(), few=few).to_pyarrow().to_pylist()
    return {row["group_id"]: row for row in rows}


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
    of_accounts = ("account_conversion_rate", "account_loss_rate")
    return features_at(tables, AS_OF, names=[*{*OF_BUSY, *OF_QUIET, *of_accounts}])


OF_BUSY = {
    "group_age_days": 10,
    "stage_changes": 2,
    "days_in_stage": 4,
    "stage": "demo",
    "closings": 0,
    "verdicts_rejected": 1,
    "days_since_verdict": 3,
    "questions_answered": 2,  # an answer given again is the same question
    "days_since_answer": 2,
    "solution": "s1",
    "industry": "鉄鋼",
    "employees": 300,
    "tier": "1",
    "country": None,
    "month": 6,
    "quarter": 2,
    "days_to_fiscal_year_end": 303,  # 31 March 2025
}
OF_QUIET = {
    "stage_changes": 0,
    "stage": None,
    "days_in_stage": None,
    "verdicts_rejected": 0,
    "days_since_verdict": None,
    "questions_answered": 0,
    "days_since_answer": None,
    "members_left_90d": 0,
    "employees": None,
}


def test_facts_are_those_known_before_the_cutoff(rows):
    assert {name: rows["busy"][name] for name in OF_BUSY} == OF_BUSY


def test_nothing_is_zero_for_counts_and_null_for_the_rest(rows):
    assert {name: rows["quiet"][name] for name in OF_QUIET} == OF_QUIET


def test_a_reopened_group_knows_how_often_it_was_closed(rows):
    assert rows["again0"]["closings"] == 2
    assert rows["again0"]["stage"] == "reopened"


@pytest.mark.parametrize("order", [1, -1])
def test_of_stages_at_one_instant_the_last_by_name_is_the_current_one(open_tables, order):
    events = [
        {"group_id": "g1", "stage": stage, "occurred_at": ago(3)}
        for stage in ("demo", "poc", "discovery")[::order]
    ]
    source = open_tables({"buying_groups": [{"group_id": "g1"}], "stage_events": events})
    assert facts_of(source)["g1"]["stage"] == "poc"


def test_every_closed_stage_of_the_settings_is_a_closing(open_tables):
    target = TargetSettings(stage="meeting set", closed_stages=("won", "dropped"))
    stages = ("meeting set", "won", "dropped", "lost")
    source = open_tables(
        {
            "stage_events": [
                {"group_id": "g1", "stage": stage, "occurred_at": ago(9)} for stage in stages
            ]
            + [{"group_id": "g1", "stage": "reopened", "occurred_at": ago(5)}]
        },
        Settings(target=target),
    )
    assert facts_of(source)["g1"]["closings"] == 3


@pytest.mark.parametrize(
    ("since", "required"), [(ago(1), 1.0), (AS_OF - MICROSECOND, 1.0), (AS_OF, 0.0)]
)
def test_a_role_found_in_the_data_counts_after_a_member_first_had_it(open_tables, since, required):
    member = {"group_id": "g1", "contact_id": "c1", "role": "sponsor", "joined_at": since}
    source = open_tables({"members": [member]})
    vocabulary = find_vocabulary(source, AS_OF + timedelta(days=1))
    groups = eligible_groups(source.tables, source.settings, cutoff_literal(AS_OF))
    facts = group_facts(
        source.tables, source.settings, vocabulary, groups, cutoff_literal(AS_OF), subset=False
    ).to_pyarrow()
    assert facts["required_sponsor"].to_pylist() == [required]
    assert facts["weight_sponsor"].to_pylist() == [100 * required]


def test_a_template_of_a_solution_goes_before_the_default_one(open_tables):
    settings = Settings(
        roles={"buyer": RoleRequirement(2, 60.5)},
        solutions={
            "s2": SolutionSettings(
                {"buyer": RoleRequirement(0, 20.0), "legal": RoleRequirement(1, 80.0)}
            )
        },
    )
    groups = [{"group_id": f"for {s}", "solution_id": s} for s in ("s1", "s2")]
    facts = facts_of(open_tables({"buying_groups": groups}, settings))
    parts = ("required_buyer", "weight_buyer", "required_legal", "weight_legal")
    assert [facts["for s1"][part] for part in parts] == [2, 60.5, 0, 0]
    assert [facts["for s2"][part] for part in parts] == [0, 20, 1, 80]


@pytest.mark.parametrize("few", [True, False])
def test_the_declared_types_are_those_the_engine_gives(open_tables, random_tables, few):
    source = open_tables(random_tables(30, AS_OF))
    query = facts_query(source, few=few)
    declared = fact_types(find_vocabulary(source, AS_OF))
    assert {name: str(kind) for name, kind in query.schema().items()} == declared
    # Kept in the engine they are the same: 1.0 as a literal is a decimal in DuckDB.
    kept = open_query_runner(source.backend, "test").materialize("facts", lambda: query)
    assert {name: str(kind) for name, kind in kept.schema().items()} == declared


@pytest.mark.parametrize(
    "seed", [30, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (31, 32, 33))]
)
def test_facts_of_a_few_groups_are_those_of_the_same_groups_among_all(
    open_tables, random_tables, seed
):
    source = open_tables(random_tables(seed, AS_OF, 12))
    everybody = facts_of(source)
    assert facts_of(source, few=True) == everybody
    for group_id in [*everybody][::3]:
        assert facts_of(source, group_id, few=True) == {group_id: everybody[group_id]}


@pytest.mark.parametrize("few", [True, False])
def test_the_sql_is_one_text_for_all_cutoffs(open_tables, few):
    source = open_tables({"members": [{"group_id": "g1", "contact_id": "c1"}]})
    queries = open_query_runner(source.backend, "test")
    texts = set()
    for as_of in (AS_OF, ago(100)):
        groups = source.tables["buying_groups"]
        query = facts_query(source, groups, queries.set_as_of(as_of), few=few)
        texts.add(str(source.backend.compile(query)))
    assert len(texts) == 1


def test_nothing_at_or_after_the_cutoff_changes_a_fact(open_tables, random_tables):
    tables = random_tables(35, AS_OF, 10)
    times = {
        "stage_events": "occurred_at", "verdicts": "decided_at", "answers": "answered_at",
        "buying_groups": "created_at",
    }  # fmt: skip
    past = {
        name: [row for row in rows if name not in times or row[times[name]] < AS_OF]
        for name, rows in tables.items()
    }
    known = {row["group_id"] for row in past["buying_groups"]}
    for name in ("stage_events", "verdicts", "answers", "members"):
        past[name] = [row for row in past[name] if row["group_id"] in known]
    past["activities"] = []
    past["members"] = [row for row in past["members"] if row["joined_at"] < AS_OF]
    assert any(len(past[name]) < len(tables[name]) for name in times)
    assert facts_of(open_tables(past)) == facts_of(open_tables({**tables, "activities": []}))


def test_an_account_without_other_groups_has_the_prior_rate(rows):
    assert rows["quiet"]["account_conversion_rate"] == 0.05


def test_rates_of_an_account_are_those_of_its_other_groups(rows):
    # Four other groups exist; two of them and the reopened one converted, two were lost.
    assert rows["open0"]["account_conversion_rate"] == (3 + 1) / (4 + 20)
    assert rows["open0"]["account_loss_rate"] == (2 + 1) / (4 + 20)


def test_a_reopened_group_does_not_count_its_own_past(rows):
    assert rows["again0"]["account_conversion_rate"] == (2 + 1) / (4 + 20)
    assert rows["again0"]["account_loss_rate"] == (1 + 1) / (4 + 20)
