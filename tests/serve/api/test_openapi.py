"""The API's own description, and requests made up from it."""

from __future__ import annotations

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as tries
from jsonschema import Draft202012Validator
from mqbg.serve.api.examples import REQUEST
from mqbg.serve.api.openapi import RESPONSE_SCHEMAS, score_body_schema


def test_the_body_of_the_example_is_as_described():
    Draft202012Validator(score_body_schema()).validate(REQUEST)


@pytest.mark.parametrize("name", RESPONSE_SCHEMAS)
def test_the_examples_of_answers_are_as_described(name):
    schema, example = RESPONSE_SCHEMAS[name]
    Draft202012Validator(schema).validate(json.loads(json.dumps(example)))


def test_real_answers_are_as_described(client, posted, stored):
    group_id = stored.scores["group_id"][0].as_py()
    answers = {
        "score": posted(client, REQUEST),
        "groups": client.get("/v1/groups"),
        "group": client.get(f"/v1/groups/{group_id}"),
        "history": client.get(f"/v1/groups/{group_id}/history"),
        "model": client.get("/v1/model"),
        "health": client.get("/healthz"),
        "readiness": client.get("/readyz"),
    }
    assert set(answers) == set(RESPONSE_SCHEMAS)
    for name, answer in answers.items():
        Draft202012Validator(RESPONSE_SCHEMAS[name][0]).validate(answer.json())


def test_every_answer_has_an_example(client):
    paths = client.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for described in methods.values():
            content = described["responses"]["200"]["content"]
            if path != "/metrics":
                assert "example" in content["application/json"], path


def test_made_up_requests_get_described_answers(client):
    """No 500, no answer that the description does not know; the full run is `benchmarks fuzz`."""
    schema = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")
    before = client.get("/v1/groups").json()
    for operation in schema.get_all_operations():

        @seed(11)
        @tries(
            max_examples=8, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @schemathesis_cases(operation.ok())
        def ask(case):
            answer = case.call()
            assert answer.status_code < 500
            assert str(answer.status_code) in operation_statuses(case)

        ask()
    assert client.get("/v1/groups").json() == before


def operation_statuses(case):
    return set(case.operation.definition.raw["responses"])


def schemathesis_cases(operation):
    from hypothesis import given

    return given(operation.as_strategy())
