from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from mqbg.contract import BadInput
from mqbg.explain.language import load_language
from mqbg.explain.reasons import Reason, features_by_name
from mqbg.features.tables.feature_table import feature_table
from mqbg.model.thresholds import Thresholds
from mqbg.serve.batch import scoring as scoring_room
from mqbg.serve.batch.group_texts import group_texts
from mqbg.serve.batch.names import read_names
from mqbg.serve.batch.next_steps import next_steps
from mqbg.serve.batch.night_decisions import NightDecision
from mqbg.serve.batch.score_tables import ACTIONS, SCORE_SCHEMAS, SCORES, STAKEHOLDERS, SUMMARIES
from mqbg.serve.batch.scoring import score

AS_OF = datetime(2025, 7, 1)
SEED = 13


def quiet(_label, _share):
    pass


def scored(source, bundle, language="en", **options):
    return score(
        source, bundle, AS_OF, model_version="7", language=load_language(language), **options
    ).tables()


def test_rows_are_those_that_arrow_gives_back_of_their_tables_type_by_type(source, bundle):
    found = score(source, bundle, AS_OF, model_version="7", language=load_language("ja"))
    tables = found.tables()
    for name in set(SCORE_SCHEMAS) - {"themes"}:
        assert repr(getattr(found, name)) == repr(getattr(tables, name).to_pylist())


@pytest.fixture(scope="module")
def tables(small_world):
    return small_world


@pytest.fixture(scope="module")
def source(small_model):
    return small_model[0]


@pytest.fixture(scope="module")
def bundle(small_model):
    """The small model; the thresholds are set where both sides have groups."""
    source, found = small_model
    table = feature_table(source, found.catalogue, [AS_OF])
    middle = float(np.median(found.readiness(found.log_odds(table))))
    lines = Thresholds("precision", completeness=0.5, pooled=middle)
    return replace(found, thresholds=lines)


@pytest.fixture(scope="module")
def all_of_it(source, bundle):
    return scored(source, bundle)


@pytest.fixture(scope="module")
def scores(all_of_it):
    return {row["group_id"]: row for row in all_of_it.scores.to_pylist()}


@pytest.fixture(scope="module")
def people(all_of_it):
    return all_of_it.stakeholders.to_pylist()


def rows_of(tables, name):
    return tables[name].to_pylist()


# Groups


def test_the_tables_have_their_schemas(all_of_it):
    assert all_of_it.scores.schema == SCORES
    assert all_of_it.stakeholders.schema == STAKEHOLDERS
    assert all_of_it.actions.schema == ACTIONS
    assert all_of_it.summaries.schema == SUMMARIES


def test_every_open_group_is_scored_once(tables, scores, all_of_it):
    ends = {"opportunity": "shut", "won": "shut", "lost": "shut", "reopened": "open"}
    state = {}
    for event in sorted(rows_of(tables, "stage_events"), key=lambda event: event["occurred_at"]):
        if event["occurred_at"] < AS_OF and event["stage"] in ends:
            state[event["group_id"]] = ends[event["stage"]]
    expected = {
        row["group_id"]: (row["account_id"], row["solution_id"])
        for row in rows_of(tables, "buying_groups")
        if row["created_at"] < AS_OF and state.get(row["group_id"], "open") == "open"
    }
    assert {k: (r["account_id"], r["solution_id"]) for k, r in scores.items()} == expected
    assert all_of_it.scores.num_rows == len(expected)


def test_scores_are_those_of_the_feature_table(source, bundle, scores):
    table = feature_table(source, bundle.catalogue, [AS_OF])
    log_odds = bundle.log_odds(table)
    for place, row in enumerate(table.to_pylist()):
        got = scores[row["group_id"]]
        assert got["log_odds"] == log_odds[place]
        assert got["readiness"] == bundle.readiness(log_odds[place : place + 1])[0]
        assert got["completeness"] == row["completeness"]
        assert got["engaged_completeness"] == row["engaged_completeness"]
        assert got["engagement"] == row["rule_engagement"]
        assert got["expected_completeness"] == row["completeness"]  # every role is certain


def test_the_score_is_a_hundred_times_readiness_rounded(scores):
    for row in scores.values():
        assert row["score"] == round(100 * row["readiness"])
        assert 0 <= row["readiness_low"] <= row["readiness"] <= row["readiness_high"] <= 1


def test_ranks_run_from_the_highest_log_odds_and_ties_by_group_id(scores):
    order = sorted(scores, key=lambda group_id: (-scores[group_id]["log_odds"], group_id))
    assert [scores[group_id]["rank"] for group_id in order] == list(range(1, len(scores) + 1))


def test_status_is_the_last_known_verdict_of_sales_or_else_by_the_thresholds(
    tables, bundle, scores
):
    reopened = {
        row["group_id"]: row["occurred_at"]
        for row in sorted(rows_of(tables, "stage_events"), key=lambda row: row["occurred_at"])
        if row["stage"] == "reopened" and row["occurred_at"] < AS_OF
    }
    verdicts = sorted(
        (
            row
            for row in rows_of(tables, "verdicts")
            if reopened.get(row["group_id"], datetime(1, 1, 1)) < row["decided_at"] < AS_OF
        ),
        key=lambda row: (row["decided_at"], row["verdict"]),
    )
    latest = {row["group_id"]: row["verdict"] for row in verdicts}
    line = bundle.thresholds
    for group_id, row in scores.items():
        reached = row["readiness"] >= line.pooled and row["completeness"] >= line.completeness
        assert row["status"] == latest.get(group_id, "qualified" if reached else "nurture")
        assert row["threshold"] == line.pooled
        assert row["completeness_threshold"] == line.completeness
    assert {"nurture", "qualified", "rejected"} <= {row["status"] for row in scores.values()}


@pytest.mark.parametrize(
    ("readiness", "completeness", "status"),
    [(0.0, 0.0, "qualified"), (1.0, 0.0, "nurture"), (0.0, 1.1, "nurture")],
)
def test_a_group_qualifies_by_readiness_and_completeness_both(
    source, bundle, scores, readiness, completeness, status
):
    unjudged = [g for g, row in scores.items() if row["status"] in ("nurture", "qualified")][:3]
    line = replace(bundle.thresholds, pooled=readiness, completeness=completeness)
    got = scored(source, replace(bundle, thresholds=line), group_ids=unjudged)
    assert got.scores["status"].to_pylist() == [status] * 3


def test_every_row_names_the_cutoff_and_the_model(all_of_it, scores):
    assert {(row["as_of"], row["model_version"]) for row in scores.values()} == {(AS_OF, "7")}
    for table in (all_of_it.stakeholders, all_of_it.actions):
        assert set(table["as_of"].to_pylist()) == {AS_OF}


def test_reasons_are_at_most_three_texts(scores):
    assert {len(row["top_reasons"]) for row in scores.values()} <= {0, 1, 2, 3}
    assert any(row["top_reasons"] for row in scores.values())


# Stakeholders


def test_stakeholders_are_the_current_members_in_order(tables, scores, people):
    expected = sorted(
        (row["group_id"], row["contact_id"], row["role"])
        for row in rows_of(tables, "members")
        if row["group_id"] in scores
        and row["joined_at"] < AS_OF
        and (row["left_at"] is None or row["left_at"] >= AS_OF)
    )
    assert [(row["group_id"], row["contact_id"], row["role"]) for row in people] == expected


def test_contributions_and_points_sum_to_what_the_group_adds(bundle, scores, people):
    parts, points = {}, {}
    for row in people:
        parts.setdefault(row["group_id"], []).append(row["contribution"])
        points.setdefault(row["group_id"], []).append(row["points"])
    for group_id, row in scores.items():
        total = row["base_log_odds"] + math.fsum(parts.get(group_id, []))
        assert total == pytest.approx(row["log_odds"], abs=1e-9)
        base = bundle.score_points(np.array([row["base_log_odds"]]))[0]
        added = math.fsum(points.get(group_id, []))
        assert added == pytest.approx(100 * row["readiness"] - base, abs=1e-9)


def test_points_are_proportional_to_contributions(scores, people):
    by_group = {}
    for row in people:
        by_group.setdefault(row["group_id"], []).append(row)
    for rows in by_group.values():
        for one, other in pairwise(rows):
            assert one["points"] * other["contribution"] == pytest.approx(
                other["points"] * one["contribution"], abs=1e-9
            )


def test_what_each_did_recently_is_what_plain_python_finds(tables, bundle, scores, people):
    first = {}
    for row in rows_of(tables, "activities"):
        known = row["recorded_at"] or row["occurred_at"]
        if row["activity_id"] not in first or known < first[row["activity_id"]][0]:
            first[row["activity_id"]] = (known, row)
    of_contact = {}
    for known, row in first.values():
        inbound = bundle.settings.activity_kind(row["kind"]).direction == "inbound"
        if inbound and known < AS_OF and row["occurred_at"] < AS_OF:
            of_contact.setdefault(row["contact_id"], []).append(row)
    silent = 0
    for person in people:
        group_id, solution = person["group_id"], scores[person["group_id"]]["solution_id"]
        own = [
            (row["occurred_at"], row["kind"])
            for row in of_contact.get(person["contact_id"], [])
            if row["group_id"] == group_id
            or (row["group_id"] is None and row["solution_id"] in (None, solution))
        ]
        kinds = Counter(kind for _at, kind in own)
        last = max(own, default=(None, None))
        silent += not own
        assert (person["last_activity_at"], person["last_activity_kind"]) == last
        assert person["activities_30d"] == sum(a >= AS_OF - timedelta(days=30) for a, _k in own)
        assert person["top_kinds"] == sorted(kinds, key=lambda kind: (-kinds[kind], kind))[:3]
    assert 0 < silent < len(people)


def test_summaries_say_who_did_what_and_what_it_adds(tables, people, scores):
    contacts = {row["contact_id"]: row for row in rows_of(tables, "contacts")}
    companies = {row["account_id"]: row["name"] for row in rows_of(tables, "accounts")}
    for row in people:
        contact = contacts[row["contact_id"]]
        name = contact["full_name"] or f"contact {row['contact_id']}"
        elsewhere = contact["account_id"] != scores[row["group_id"]]["account_id"]
        company = f", {companies[contact['account_id']]}" if elsewhere else ""
        assert row["summary"].startswith(name)
        assert f"{company} ({row['role'].replace('_', ' ')}): " in row["summary"]
        assert f"{signed(row['points'])} points." in row["summary"]
        if row["last_activity_at"] is None:
            assert "No activity yet." in row["summary"]
        else:
            assert (
                f"{row['last_activity_at']:on %B {row['last_activity_at'].day}, %Y}"
                in (row["summary"])
            )
        leaves = signed(row["if_leaves"])
        way = "higher" if row["if_leaves"] > 0 else "lower"
        said = f"tend to score {leaves[1:]} points {way}." in row["summary"]
        assert said == (leaves != "0.0")


def signed(points):
    text = f"{points:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "\N{MINUS SIGN}")


def test_a_summary_names_the_theme_that_carried_the_contribution(all_of_it, people):
    themes = {}
    for row in all_of_it.themes.to_pylist():
        themes.setdefault((row["group_id"], row["contact_id"]), {})[row["theme"]] = row["points"]
    named = 0
    for row in people:
        own = themes.get((row["group_id"], row["contact_id"]), {})
        way = 1 if row["points"] > 0 else -1
        pulls = {theme: way * points for theme, points in own.items() if way * points > 0}
        if pulls and row["points"]:
            strongest = max(pulls, key=pulls.__getitem__)
            said = load_language("en").word("themes", strongest)
            assert f"Strongest theme: {said}." in row["summary"]
            named += 1
    assert named > 0


def test_the_next_step_of_a_member_is_about_them_or_their_role(all_of_it, people):
    own, by_role = {}, {}
    for row in all_of_it.actions.to_pylist():
        if row["contact_id"] is not None:
            own.setdefault((row["group_id"], row["contact_id"]), row["action"])
        elif row["action"] == "engage_role":
            by_role[row["group_id"], row["role"]] = row["action"]
    openings = {
        "wake_member": "Next step: get back in touch.",
        "protect_member": "Next step: win a second contact",
        "engage_role": "Next step: win over somebody in this role.",
        None: None,
    }
    seen = set()
    for row in people:
        action = own.get((row["group_id"], row["contact_id"]))
        if action is None and not row["activities_30d"]:
            action = by_role.get((row["group_id"], row["role"]))
        seen.add(action)
        assert ("Next step" in row["summary"]) == (action is not None)
        assert openings[action] is None or openings[action] in row["summary"]
    assert len(seen) > 1


def test_every_group_has_a_summary_that_says_where_it_stands(
    tables, all_of_it, scores, people, bundle
):
    accounts = {row["account_id"]: row["name"] for row in rows_of(tables, "accounts")}
    solutions = {row["solution_id"]: row["name"] for row in rows_of(tables, "solutions")}
    actions = {}
    for row in all_of_it.actions.to_pylist():
        actions.setdefault(row["group_id"], []).append(row)
    members = Counter(row["group_id"] for row in people)
    rows = all_of_it.summaries.to_pylist()
    assert [row["group_id"] for row in rows] == list(scores)
    for row in rows:
        score, lines = scores[row["group_id"]], row["summary"].split("\n")
        heading = f"{accounts[score['account_id']]}: {solutions[score['solution_id']]}"
        assert lines[0] == heading
        assert f"Chance of conversion within 150 days: {score['readiness']:.1%} (" in lines[1]
        details = lines.index("") + 1
        assert details == 5 + bool(members[row["group_id"]])
        assert lines[details].startswith(f"Completeness {score['completeness']:.0%} (50% needed).")
        assert ("Nobody is in this group yet" in lines[2]) == (not members[row["group_id"]])
        rests = score["single_point_of_failure"] is not None
        assert any(line.startswith("The score rests on") for line in lines) == rests
        steps = next_steps(actions.get(row["group_id"], []), score, bundle.settings.explain)
        none = "Next step: none is worth naming" in lines[details - 2]
        assert lines[details - 2].startswith("Next step: ")
        assert none == (not steps)


def test_the_single_point_of_failure_is_a_member_whose_leaving_costs_the_most(
    scores, people, bundle
):
    by_group = {}
    for row in people:
        by_group.setdefault(row["group_id"], []).append(row)
    for group_id, row in scores.items():
        members = by_group.get(group_id, [])
        base = bundle.score_points(np.array([row["base_log_odds"]]))[0]
        added = 100 * row["readiness"] - base
        worst = min(members, key=lambda member: member["if_leaves"], default=None)
        rests = worst is not None and added >= 1 and -worst["if_leaves"] >= 0.5 * added
        assert row["single_point_of_failure"] == (worst["contact_id"] if rests else None)


# Actions


def test_actions_are_best_first_with_support_and_the_gain_in_their_text(all_of_it, bundle, scores):
    by_group = {}
    for row in all_of_it.actions.to_pylist():
        by_group.setdefault(row["group_id"], []).append(row)
        assert row["group_id"] in scores
        assert row["points"] > 0
        assert row["support"] >= bundle.settings.explain.min_support
        assert f"{row['points']:.1f} points" in row["text"]
        assert f"({row['support']:,} similar case" in row["text"]
        assert (row["contact_id"] is None) == (row["action"] in ("fill_role", "engage_role"))
    for rows in by_group.values():
        assert len(rows) <= 10
        points = [row["points"] for row in rows]
        assert points == sorted(points, reverse=True)
    kinds = set(all_of_it.actions["action"].to_pylist())
    assert kinds >= {"fill_role", "wake_member", "engage_role"}


def test_filling_is_proposed_for_missing_roles_alone(all_of_it, scores):
    for row in all_of_it.actions.to_pylist():
        if row["action"] == "fill_role":
            assert row["role"] in scores[row["group_id"]]["missing_roles"]


# Languages


def test_another_language_changes_words_and_no_number(source, bundle, all_of_it, scores):
    few = list(scores)[:20]
    english, japanese = (
        scored(source, bundle, language, group_ids=few) for language in ("en", "ja")
    )
    told = {
        "scores": "top_reasons", "stakeholders": "summary", "actions": "text",
        "summaries": "summary",
    }  # fmt: skip
    for name, text in told.items():
        one, other = getattr(english, name), getattr(japanese, name)
        assert one.drop_columns(text).equals(other.drop_columns(text))
        assert all(
            a != b or a == []
            for a, b in zip(one[text].to_pylist(), other[text].to_pylist(), strict=True)
        )


# One answer


def test_groups_that_the_last_night_decided_on_keep_its_threshold_and_status(
    source, bundle, scores, monkeypatch
):
    few = sorted(scores)[:2]
    decided = {
        few[0]: NightDecision(AS_OF, 0.123, 0.25, "recycled"),
        few[1]: NightDecision(AS_OF, 1, 0, "x"),
    }
    monkeypatch.setattr(scoring_room, "thresholds_in_force", None)  # not asked
    got = scored(source, bundle, group_ids=few, decisions=decided).scores.to_pylist()
    assert [(row["threshold"], row["completeness_threshold"], row["status"]) for row in got] == [
        (0.123, 0.25, "recycled"), (1, 0, "x"),
    ]  # fmt: skip
    assert [row["readiness"] for row in got] == [scores[one]["readiness"] for one in few]


def test_a_group_that_the_last_night_had_not_has_the_thresholds_that_follow(source, bundle, scores):
    known, new = sorted(scores)[:2]
    decided = {known: NightDecision(AS_OF, 0.123, 0.25, "recycled")}
    got = scored(source, bundle, group_ids=[known, new], decisions=decided).scores.to_pylist()
    assert (got[0]["threshold"], got[1]["threshold"]) == (0.123, scores[new]["threshold"])
    assert got[1]["status"] == scores[new]["status"]


def only_rows(table, group_ids):
    return table.filter(pa.array([g in group_ids for g in table["group_id"].to_pylist()]))


@pytest.mark.parametrize("count", [1, 15])
def test_some_groups_have_the_same_rows_as_in_the_batch(source, bundle, all_of_it, scores, count):
    largest = Counter(all_of_it.stakeholders["group_id"].to_pylist()).most_common(count)
    chosen = {group_id for group_id, _members in largest}
    got = scored(source, bundle, group_ids=sorted(chosen))
    for table in ("stakeholders", "actions", "summaries"):
        assert getattr(got, table).equals(only_rows(getattr(all_of_it, table), chosen))
    expected = only_rows(all_of_it.scores, chosen)
    assert got.scores.drop_columns("rank").equals(expected.drop_columns("rank"))
    assert sorted(got.scores["rank"].to_pylist()) == list(range(1, count + 1))


@pytest.mark.slow
def test_the_order_of_input_rows_changes_nothing(tables, open_tables, bundle, all_of_it):
    draw = np.random.default_rng(SEED)
    shuffled = {name: table.take(draw.permutation(len(table))) for name, table in tables.items()}
    got = scored(open_tables(shuffled, bundle.settings, threads=2), bundle)
    assert got.scores.equals(all_of_it.scores)
    assert got.stakeholders.equals(all_of_it.stakeholders)
    assert got.actions.equals(all_of_it.actions)


def test_progress_is_told(source, bundle, scores):
    shares = []
    few = list(scores)[:4]
    scored(source, bundle, group_ids=few, progress=lambda _label, share: shares.append(share))
    assert shares == [0.25, 0.5, 0.75, 1.0]


# Refusals


def test_a_cutoff_before_all_data_is_refused_with_the_first_group(tables, source, bundle):
    first = min(row["created_at"] for row in rows_of(tables, "buying_groups"))
    with pytest.raises(BadInput) as caught:
        score(source, bundle, datetime(1999, 1, 1), model_version="7", language=load_language("en"))
    said = str(caught.value)
    assert "expected groups that are open at 1999-01-01 00:00, found none" in said
    assert f"created at {first:%Y-%m-%d %H:%M}" in said
    assert "choose an --as-of" in said


def test_no_known_group_among_those_asked_for_is_refused(source, bundle):
    with pytest.raises(BadInput, match="found none"):
        scored(source, bundle, group_ids=["nobody"])


@pytest.mark.parametrize(("first", "other"), [("en", "ja"), ("ja", "en")])
def test_stored_facts_give_the_texts_that_another_language_would_have_scored(
    source, bundle, all_of_it, first, other
):
    """The oracle is scoring itself, in the other language."""
    chosen = all_of_it.scores["group_id"].to_pylist()[:12]
    stored, expected = (scored(source, bundle, code, group_ids=chosen) for code in (first, other))
    names = read_names(stored, source)
    rows = {
        name: stored_rows(getattr(stored, name))
        for name in ("stakeholders", "actions", "summaries")
    }
    told = {row["group_id"]: row for row in expected.scores.to_pylist()}
    texts = {row["group_id"]: row["summary"] for row in expected.summaries.to_pylist()}
    named = 0
    for row in stored.scores.to_pylist():
        group_id = row["group_id"]
        written = group_texts(
            row, rows["stakeholders"][group_id], rows["actions"][group_id],
            rows["summaries"][group_id][0]["reason_facts"], names, features_by_name(bundle),
            bundle.settings, load_language(other), measured=bundle.measured,
        )  # fmt: skip
        assert list(written.reasons) == told[group_id]["top_reasons"]
        assert written.summary == texts[group_id]
        assert set(written.steps) <= {
            row["text"] for row in expected.actions.to_pylist() if row["group_id"] == group_id
        }
        named += len(written.steps) + len(written.reasons)
    assert named > len(chosen)


def stored_rows(table):
    found = {}
    for row in table.to_pylist():
        found.setdefault(row["group_id"], []).append(row)
    return defaultdict(list, found)


def test_reasons_and_steps_of_every_group_are_worth_saying(all_of_it, scores, bundle):
    features = features_by_name(bundle)
    actions = stored_rows(all_of_it.actions)
    said = 0
    for row in all_of_it.summaries.to_pylist():
        score = scores[row["group_id"]]
        for reason in map(Reason.from_json, row["reason_facts"]):
            feature = features[reason.feature]
            assert feature.theme != "rule scores"
            assert feature.name not in ("account", "solution")
            assert feature.unit not in ("points", "points per member", "points of 100", "nats")
            assert reason.value is not None
            of_role = feature.subject[1] if feature.subject else None
            assert not (reason.up and of_role in score["missing_roles"])
            said += 1
        steps = next_steps(actions[row["group_id"]], score, bundle.settings.explain)
        assert len(steps) <= 3
        assert all(step["points"] >= max(1.0, 5 * score["readiness"]) for step in steps)
        about = [step["contact_id"] or step["role"] for step in steps]
        assert len(about) == len(set(about))
        said += len(steps)
    assert said > len(scores)
