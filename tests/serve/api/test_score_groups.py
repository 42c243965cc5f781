"""`POST /v1/score` with several groups: each is answered as if it had been sent alone.

Short lists are scored over lists of values, long ones by columns: here each is in both ways.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from mqbg.features.engines.arrow import columns, joins
from mqbg.serve.api import merged_groups, scorer
from mqbg.serve.api.examples import REQUEST
from mqbg.serve.api.group_tables import parse_group_tables
from mqbg.serve.api.listed_groups import read_listed_groups
from mqbg.serve.api.openapi import scores_answer_schema, scores_body_schema
from mqbg.settings import ApiSettings

SEED = 5
AS_OF = REQUEST["as_of"]


@pytest.fixture(autouse=True, params=[0, 2**40], ids=["by columns", "by rows"])
def by_columns(request, monkeypatch):
    """What was read by columns, or not; nothing where all bodies are short."""
    found = []

    def read(*arguments):
        found.append(read_listed_groups(*arguments))
        return found[-1]

    monkeypatch.setattr(scorer, "LONG_BODY_BYTES", request.param)
    monkeypatch.setattr(scorer, "read_listed_groups", read)
    return found if request.param == 0 else None


def listed(body):
    return {key: value for key, value in body.items() if key not in ("as_of", "language")}


def together(client, posted, bodies, **options):
    body = {"as_of": bodies[0]["as_of"], **options, "groups": [listed(one) for one in bodies]}
    answer = posted(client, body)
    assert answer.status_code == 200, answer.text
    return answer.json()["groups"]


def variant(**changes):
    """The example with other words in it."""
    body = copy.deepcopy(REQUEST)
    for key, values in changes.items():
        rows = body[key]
        (rows if isinstance(rows, dict) else rows[0]).update(values)
    return body


def test_groups_of_a_world_are_answered_as_alone_to_the_bit(
    client, posted, scored, body_of, by_columns
):
    ids = scored.scores["group_id"].to_pylist()
    chosen = np.random.default_rng(SEED).choice(ids, 12, replace=False).tolist()
    bodies = [body_of(group_id) for group_id in chosen]
    alone = [posted(client, body).json() for body in bodies]
    assert together(client, posted, bodies) == alone
    assert by_columns is None or [one is not None for one in by_columns] == [True]


def test_equal_ids_of_different_groups_are_different_things(client, posted):
    bodies = [
        REQUEST,
        variant(account={"name": "Other"}, contacts={"full_name": None, "title": "CFO"}),
        variant(solution={"name": "Another"}),
        variant(members={"role": "user"}, activities={"occurred_at": "2025-06-01"}),
        REQUEST,
    ]
    alone = [posted(client, body).json() for body in bodies]
    assert together(client, posted, bodies, language="en") == alone
    assert len({str(one["summary"]) for one in alone}) > 2


def with_many_members(group_id, members):
    """The example with so many members, each of whom did something else, that games are sampled."""
    body = copy.deepcopy(REQUEST)
    body["buying_group"]["group_id"] = group_id
    contact, member = body["contacts"][0], body["members"][0]
    activity = {**body["activities"][0], "group_id": None}
    names = [f"{contact['contact_id']}{number:02}" for number in range(members)]
    body["contacts"] = [{**contact, "contact_id": name} for name in names]
    body["members"] = [{**member, "group_id": group_id, "contact_id": name} for name in names]
    body["activities"] = [
        {**activity, "contact_id": name, "activity_id": f"{name} {time}"}
        for number, name in enumerate(names)
        for time in range(number + 1)
    ]
    return body


def test_sampled_games_draw_as_they_do_alone(client, posted):
    bodies = [REQUEST, with_many_members("g1", 12), with_many_members("g2", 12)]
    alone = [posted(client, body).json() for body in bodies]
    for answer in alone[1:]:
        assert all(row["contribution_se"] > 0 for row in answer["stakeholders"])
    assert alone[1]["stakeholders"] != alone[2]["stakeholders"]
    assert together(client, posted, bodies) == alone


def with_past(solution_id, outcome):
    """The example with a group before it, of the same person, that ended so."""
    body = copy.deepcopy(REQUEST)
    body["solution"]["solution_id"] = body["buying_group"]["solution_id"] = solution_id
    body["other_groups"] = [
        {**body["buying_group"], "group_id": "g0", "created_at": "2024-01-10T00:00:00Z"}
    ]
    past = {**body["members"][0], "group_id": "g0", "joined_at": "2024-01-11T00:00:00Z"}
    body["members"].append(past)
    body["stage_events"] = [
        {"group_id": "g0", "stage": outcome, "occurred_at": "2024-03-01T00:00:00Z"}
    ]
    return body


def test_what_became_of_groups_before_stays_with_the_group_that_sent_it(client, posted):
    bodies = [REQUEST, *(with_past(f"s{n}", "opportunity" if n % 2 else "lost") for n in range(6))]
    alone = [posted(client, body).json() for body in bodies]
    assert together(client, posted, bodies, language="en") == alone


def test_one_that_cannot_be_scored_says_why_and_keeps_none_of_the_others(client, posted):
    bodies = [
        REQUEST,
        {**REQUEST, "members": "none"},
        variant(members={"contact_id": "nobody"}),
        {**REQUEST, "stage_events": [
            {"group_id": "g1", "stage": "won", "occurred_at": "2025-08-01"}]},
        variant(activities={"duration_seconds": 1e308}),
        REQUEST,
    ]  # fmt: skip
    answers = together(client, posted, bodies, language="en")
    for body, answer in zip(bodies, answers, strict=True):
        alone = posted(client, body).json()
        assert answer == ({"error": alone["detail"]} if "detail" in alone else alone)
    assert ["error" in answer for answer in answers] == [False, True, True, True, True, False]


def test_a_row_that_breaks_the_contract_refuses_its_own_group(client, posted, by_columns):
    bodies = [REQUEST, variant(members={"contact_id": "nobody"}), REQUEST]
    answers = together(client, posted, bodies)
    assert answers == [
        posted(client, REQUEST).json(),
        {"error": posted(client, bodies[1]).json()["detail"]},
        posted(client, REQUEST).json(),
    ]
    assert by_columns is None or [one is not None for one in by_columns] == [True]


def test_a_name_that_the_model_does_not_know_is_told_of_its_own_group(client, posted, by_columns):
    bodies = [REQUEST, variant(members={"role": "bayer"}), REQUEST]
    answers = together(client, posted, bodies)
    assert ["bayer" in str(answer["warnings"]) for answer in answers] == [False, True, False]
    assert answers == [posted(client, body).json() for body in bodies]
    assert by_columns is None or [one is not None for one in by_columns] == [True]


def test_a_text_that_stands_for_no_value_is_told_as_alone(client, posted, scored, body_of):
    known = body_of(scored.scores["group_id"].to_pylist()[0])
    bodies = [known, {**known, "account": {**known["account"], "tier": "N/A"}}]
    alone = [posted(client, body).json() for body in bodies]
    assert ["N/A" in str(one["warnings"]) for one in alone] == [False, True]
    assert together(client, posted, bodies) == alone


@pytest.mark.parametrize("limit", [(columns, "MAX_TEXT_BYTES"), (joins, "MAX_ROWS")])
def test_what_columns_would_copy_too_often_is_scored_by_rows(client, posted, limit, monkeypatch):
    bodies = [REQUEST, variant(account={"name": "Other"})]
    alone = [posted(client, body).json() for body in bodies]
    monkeypatch.setattr(*limit, 1)
    assert together(client, posted, bodies) == alone


def test_a_run_has_an_end_and_parts_at_a_solution_that_differs(monkeypatch):
    parse = merged_groups.mergeable_runs
    monkeypatch.setattr(merged_groups, "MAX_MERGED", 3)
    groups = [group("s", "A", f"industry {number}") for number in range(4)]
    groups += [group("s", "B", "retail"), group("t", "A", "food"), group("t" * 200, "A", "rail")]
    assert parse(groups) == [[0, 1, 2], [3, 5], [4], [6]]


FOREIGN = [
    variant(buying_group={"solution_id": "s9"}),
    variant(activities={"solution_id": "s9"}),
    variant(contents={"solution_id": "s9"}),
]


@pytest.mark.parametrize("body", FOREIGN, ids=["group", "activity", "content"])
def test_a_solution_that_another_group_gives_is_not_there(client, posted, body):
    giver = variant(solution={"solution_id": "s9"}, buying_group={"solution_id": "s9"})
    alone = posted(client, body)
    assert alone.status_code == 422
    assert together(client, posted, [giver, body, giver])[1] == {"error": alone.json()["detail"]}


def test_the_mark_of_a_group_in_a_name_stays(client, posted):
    body = variant(account={"name": f"Aoba {merged_groups.group_marks(1)[0]}"})
    assert together(client, posted, [body, REQUEST])[0] == posted(client, body).json()


def test_groups_for_one_solution_in_one_industry_do_not_see_each_other(client, posted):
    ends = [{"group_id": "g0", "stage": "opportunity", "occurred_at": "2024-03-01T00:00:00Z"}]
    bodies = [with_past("s", "lost") for _number in range(3)]
    for body in bodies:
        body["account"]["industry"] = "retail"
    bodies[1]["stage_events"] = ends
    groups = [parsed(body) for body in bodies]
    assert merged_groups.mergeable_runs(groups) == [[0, 1, 2]]
    alone = [posted(client, body).json() for body in bodies]
    assert alone[0]["score"]["log_odds"] != alone[1]["score"]["log_odds"]
    assert together(client, posted, bodies, language="en") == alone


def group(solution_id, name, industry):
    return parsed(
        {
            **REQUEST,
            "account": {**REQUEST["account"], "industry": industry},
            "solution": {"solution_id": solution_id, "name": name},
            "buying_group": {**REQUEST["buying_group"], "solution_id": solution_id},
        }
    )


def parsed(body):
    return parse_group_tables(body, ApiSettings())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"as_of": AS_OF, "groups": [{}] * 501}, "at most 500 groups, got 501"),
        ({"as_of": AS_OF, "groups": {}}, "groups: expected a list of objects, got an object"),
        ({"as_of": AS_OF, "groups": [3]}, "groups[0]: expected an object, got a number"),
        ({"as_of": "soon", "groups": []}, "as_of: expected a date"),
        ({"groups": []}, "as_of: expected a date"),
        ({"as_of": AS_OF, "groups": [], "members": []}, "got 'members'"),
        ({"as_of": AS_OF, "groups": [REQUEST]}, "groups[0]: expected as_of beside the list"),
        ({"as_of": AS_OF, "language": "xx", "groups": [listed(REQUEST)]}, "language:"),
    ],
)
def test_a_list_that_is_none_is_refused(client, posted, body, says):
    answer = posted(client, body)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


def test_lists_and_their_answers_are_as_described(client, posted):
    body = {"as_of": AS_OF, "groups": [listed(REQUEST), {**listed(REQUEST), "members": 3}]}
    answer = posted(client, body).json()
    assert ["error" in group for group in answer["groups"]] == [False, True]
    answers, bodies = map(Draft202012Validator, (scores_answer_schema(), scores_body_schema()))
    assert list(answers.iter_errors(answer)) == []
    assert list(bodies.iter_errors({**body, "groups": body["groups"][:1]})) == []
    assert list(bodies.iter_errors(body)) != []


def test_what_the_model_does_not_know_is_told_with_the_nearest_name(client, posted):
    known = posted(client, REQUEST).json()["warnings"]
    body = variant(members={"role": "Decision-Maker"}, account={"industri": "x"})
    told = posted(client, body).json()["warnings"]
    column, role = [text for text in told if text not in known]
    assert column == (
        "account: the column 'industri' is not read; the nearest one of the contract is 'industry'"
    )
    assert role.startswith("members, role: unknown to the model in 2 of ")
    assert "'Decision-Maker' (1, known: 'decision_maker')" in role
