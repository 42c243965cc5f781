"""Settings of targets and alerts that have the right types and still cannot be meant."""

from __future__ import annotations

import pytest
from mqbg.contract import BadInput
from mqbg.settings import Settings, settings_from_values, settings_values
from mqbg.settings.delivery import TARGETS

SHORT = (
    "score", "readiness", "completeness", "engagement", "status", "missing_roles", "top_reasons",
    "next_step", "model_version", "as_of",
)  # fmt: skip


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (
            {"push": {"hubspot": {"fields": dict.fromkeys(SHORT, "")}}},
            "[push.hubspot.fields] leaves nothing to send; keep at least one field",
        ),
        (
            {"push": {"hubspot": {"fields": {"scor": "x"}}}},
            "[push.hubspot.fields] unknown field 'scor'; the nearest known one is 'score'",
        ),
        (
            {"push": {"dynamics": {"fields": {"score": "x", "grade": "x"}}}},
            "[push.dynamics.fields] must give every field a name of its own",
        ),
        (
            {"push": {"salesforce": {"member_fields": {"rol": "x"}}}},
            "[push.salesforce.member_fields] unknown field 'rol'; the nearest known one is 'role'",
        ),
        (
            {"push": {"sql": {"fields": {"group_id": ""}}}},
            "[push.sql.fields] must keep group_id, the table's key",
        ),
        ({"push": {"jsonl": {"path": ""}}}, '[push.jsonl] path must be a file, or "-" for stdout'),
        (
            {"push": {"grades": [25, 50, 75]}},
            "[push] grades must be three falling scores: the lowest of A, of B and of C",
        ),
        (
            {"push": {"webhook": {"requests_per_10_seconds": 1}}},
            "[push.webhook] requests_per_10_seconds must be at least 2",
        ),
        (
            {"alerts": {"channels": ["fax"]}},
            "[alerts] channels expected one of 'slack', 'teams', 'email', got 'fax'",
        ),
        (
            {"alerts": {"channels": ["email"]}},
            '[alerts] channels with "email" need email_from and email_to',
        ),
        (
            {"alerts": {"link": "https://pages/{name}"}},
            "[alerts] link may hold {group_id} and {page}, and no other braces",
        ),
        (
            {"alerts": {"link": "https://pages/{"}},
            "[alerts] link may hold {group_id} and {page}, and no other braces",
        ),
    ],
)
def test_nonsense_is_refused_in_one_sentence(tree, sentence):
    with pytest.raises(BadInput) as refused:
        settings_from_values(tree, "mqbg.toml")
    assert str(refused.value) == f"mqbg.toml: {sentence}"


def test_a_field_left_out_goes_nowhere_and_a_named_one_keeps_its_name():
    own = {"push": {"dynamics": {"fields": {"trend": "", "summary": "new_summary"}}}}
    mapping = settings_from_values(own, "test").push.dynamics.mapping
    assert mapping == {
        "score": "msdyn_score", "grade": "msdyn_grade", "summary": "new_summary",
    }  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_sends_something_by_default_each_under_a_name_of_its_own(target):
    mapping = getattr(Settings().push, target).mapping
    assert mapping
    assert len(set(mapping.values())) == len(mapping)
    assert target in settings_values(Settings())["push"]
