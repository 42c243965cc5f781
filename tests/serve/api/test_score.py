"""`POST /v1/score`: the batch's own figures, and what is not one group's tables."""

from __future__ import annotations

import json

import numpy as np
import pytest
from mqbg.serve.api.examples import REQUEST
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS

SEED = 3


def plain(rows):
    return json.loads(
        json.dumps(rows, default=lambda value: value.isoformat() + "Z", allow_nan=False)
    )


@pytest.fixture(scope="module")
def some_groups(scored):
    ids = scored.scores["group_id"].to_pylist()
    return np.random.default_rng(SEED).choice(ids, 6, replace=False).tolist()


def test_the_answer_is_that_of_the_batch_to_the_bit(client, posted, scored, body_of, some_groups):
    for group_id in some_groups:
        answer = posted(client, body_of(group_id)).json()
        for name in SCORE_SCHEMAS:
            rows = [r for r in getattr(scored, name).to_pylist() if r["group_id"] == group_id]
            if name == "scores":
                assert answer["score"] == plain({**rows[0], "rank": 1})
            elif name == "summaries":
                assert [answer["summary"]] == [row["summary"] for row in rows]
            else:
                assert answer[name] == plain(rows)


def test_an_answer_does_not_depend_on_those_before(client, posted, body_of, some_groups):
    first, second = (body_of(group_id) for group_id in some_groups[:2])
    alone = posted(client, first).json()
    posted(client, second)
    posted(client, {**second, "members": "no list"})
    assert posted(client, first).json() == alone


def test_the_example_of_the_description_is_scored(client, posted):
    answer = posted(client, REQUEST)
    assert answer.status_code == 200
    assert {row["contact_id"] for row in answer.json()["stakeholders"]} == {"c1", "c2"}


def test_words_come_in_the_language_asked_for(client, posted):
    japanese = posted(client, {**REQUEST, "language": "ja"}).json()["summary"]
    assert japanese != posted(client, REQUEST).json()["summary"]
    assert any("ぁ" <= letter <= "ん" for letter in japanese)


def test_names_that_the_model_does_not_know_are_told(client, posted, body_of, some_groups):
    body = body_of(some_groups[0])
    assert posted(client, body).json()["warnings"] == []
    others = [{**one, "kind": "kiosk visit"} for one in body["activities"]]
    (said,) = posted(client, {**body, "activities": others}).json()["warnings"]
    assert said.startswith("activities, kind: unknown to the model in ")
    assert "'kiosk visit' (" in said


def test_a_group_without_anybody_has_a_score(client, posted):
    alone = {**REQUEST, "contacts": [], "members": [], "activities": [], "contents": []}
    answer = posted(client, alone).json()
    assert answer["stakeholders"] == []
    assert answer["score"]["log_odds"] == answer["score"]["base_log_odds"]


def test_nothing_at_or_after_the_cutoff_counts(client, posted):
    before = posted(client, REQUEST).json()
    late = {**REQUEST["activities"][0], "activity_id": "late", "occurred_at": "2025-09-01"}
    assert (
        posted(client, {**REQUEST, "activities": [*REQUEST["activities"], late]}).json() == before
    )


def without(key):
    return {name: value for name, value in REQUEST.items() if name != key}


def with_first(key, **values):
    rows = REQUEST[key]
    if isinstance(rows, dict):
        return {**REQUEST, key: {**rows, **values}}
    return {**REQUEST, key: [{**rows[0], **values}, *rows[1:]]}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (without("members"), "got no members"),
        ({**REQUEST, "member": []}, "the nearest known one is 'members'"),
        ({**REQUEST, "as_of": "soon"}, "as_of: expected a date"),
        ({**REQUEST, "as_of": 20250901}, "as_of: expected a date"),
        ({**REQUEST, "as_of": "2020-01-01"}, "expected a group that is open at 2020-01-01"),
        ({**REQUEST, "language": "xx"}, "language:"),
        ({**REQUEST, "language": 3}, "language: expected a text"),
        ({**REQUEST, "members": {}}, "members: expected a list of objects, got an object"),
        ({**REQUEST, "contacts": ["c1"]}, "contacts[0]: expected an object, got a text"),
        (with_first("members", role=7), "members[0].role: expected a text, got a number"),
        (with_first("members", role=None), "members.role"),
        (with_first("members", contact_id="c9"), "at members[0]"),
        (with_first("members", joined_at="yesterday"), "write times as"),
        (with_first("activities", duration_seconds="long"), "expected a number, got a text"),
        (with_first("activities", duration_seconds=True), "expected a number, got true or false"),
        (with_first("activities", duration_seconds=1e308), "too large; check its unit"),
        (with_first("activities", duration_seconds=1e20), "too large; check its unit"),
        (with_first("activities", occurred_at="1066-10-14"), "check the year"),
        (with_first("activities", activity_id=None), "every row needs a value"),
        (with_first("account", account_id="a2"), "account"),
        (with_first("account", employees=1.5), "accounts.employees"),
        (with_first("contents", buying_job="sleeping"), "expected one of problem_identification"),
        (
            {**REQUEST, "contacts": [*REQUEST["contacts"], REQUEST["contacts"][0]]},
            "give every key once",
        ),
        (
            {**REQUEST, "stage_events": [
                {"group_id": "g1", "stage": "won", "occurred_at": "2025-08-01"}]},
            "expected a group that is open",
        ),
    ],
)  # fmt: skip
def test_what_is_no_group_is_refused_with_one_sentence(client, posted, body, says):
    answer = posted(client, body)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize(
    ("limit", "key"), [("max_members", "members"), ("max_activities", "activities"),
                       ("max_rows", "contacts")],
)  # fmt: skip
def test_more_rows_than_the_limit_are_refused(client_of, with_limits, posted, limit, key):
    with client_of(with_limits(**{limit: 2})) as client:
        assert posted(client, REQUEST).status_code == 200
        answer = posted(client, {**REQUEST, key: [REQUEST[key][0]] * 3})
    assert answer.status_code == 422
    assert f"{key}: expected at most 2 rows, got 3" in answer.json()["detail"]


def test_a_cell_that_looks_like_sql_is_text(client, posted):
    name = "'); DROP TABLE given.contacts; --"
    answer = posted(client, with_first("contacts", full_name=name))
    assert name in json.dumps(answer.json()["stakeholders"])
    assert posted(client, REQUEST).status_code == 200


def test_nothing_of_it_is_stored(client, posted, store_url):
    before = client.get("/v1/groups").json()
    posted(client, REQUEST)
    client.standing.score_cache.refresh()
    assert client.get("/v1/groups").json() == before
    assert client.get("/v1/groups/g1").status_code == 404
