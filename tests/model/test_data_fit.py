from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mqbg.contract import BadInput
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.model.bundle import Bundle
from mqbg.model.data_fit import data_fit, require_fit
from mqbg.settings import RoleRequirement, Settings

AS_OF = datetime(2024, 6, 1)
ROLES = ("decision_maker", "user")


def bundle(settings: Settings | None = None, **categories: tuple[str, ...]) -> Bundle:
    """What the comparison reads of a bundle: settings, vocabulary, values of categories."""
    roles = tuple(TemplateRole(role, role, RoleRequirement(), {}) for role in ROLES)
    vocabulary = Vocabulary(Template(roles), families=("fax",))
    parts = {"settings": settings or Settings(), "vocabulary": vocabulary}
    return cast("Bundle", SimpleNamespace(**parts, category_values=categories))


def tables(roles: list[str], kinds: list[str], industry: str | None = None) -> dict[str, Any]:
    members = [{"group_id": "g1", "contact_id": f"c{i}", "role": r} for i, r in enumerate(roles)]
    activities = [
        {"contact_id": "c0", "kind": kind, "occurred_at": AS_OF - timedelta(days=9)}
        for kind in kinds
    ]
    accounts = [{"account_id": "a1", "name": "A", "industry": industry}]
    return {"members": members, "activities": activities, "accounts": accounts}


def test_data_of_the_training_fits(open_tables):
    source = open_tables(tables(["user", "decision_maker"], ["fax", "meeting"], "steel"))
    fit = data_fit(source, bundle(industry=("steel",)), AS_OF)
    assert (fit.warnings, fit.refusal) == ((), None)


def test_one_renamed_role_is_named_with_its_count_and_the_nearest_known(open_tables):
    source = open_tables(tables(["user", "user", "Decision Maker"], ["fax"]))
    fit = data_fit(source, bundle(), AS_OF)
    (said,) = fit.warnings
    assert said == (
        "members, role: unknown to the model in 1 of 3 member rows: "
        "'Decision Maker' (1, known: 'decision_maker')"
    )
    require_fit(fit, "score")


@pytest.mark.parametrize(
    ("roles", "kinds"),
    [(["USER", "DECISION MAKER"], ["fax"]), (["user"], ["visits", "calls", "fax"])],
)
def test_most_roles_or_kinds_unknown_are_refused(open_tables, roles, kinds):
    fit = data_fit(open_tables(tables(roles, kinds)), bundle(), AS_OF)
    with pytest.raises(BadInput, match=r"^score: expected names that the model knows.*--force$"):
        require_fit(fit, "score")


def test_a_template_of_settings_may_leave_out_most_roles(open_tables):
    few = replace(Settings(), roles={"user": RoleRequirement()})
    source = open_tables(tables(["user", "legal", "finance"], ["fax"]), few)
    assert data_fit(source, bundle(few), AS_OF).refusal is None


def test_members_who_left_and_activities_of_long_ago_do_not_count(open_tables):
    rows = tables(["user"], ["fax"])
    rows["members"].append(
        {"group_id": "g1", "contact_id": "c9", "role": "gone", "left_at": datetime(2024, 1, 1)}
    )
    rows["activities"].append(
        {"contact_id": "c0", "kind": "telex", "occurred_at": datetime(2023, 1, 1)}
    )
    assert data_fit(open_tables(rows), bundle(), AS_OF).warnings == ()


def test_categories_that_are_unknown_or_gone_are_said(open_tables):
    known = bundle(industry=("steel", "paper"), country=("JP",))
    (industry, country) = data_fit(
        open_tables(tables(["user"], ["fax"], "Steel")), known, AS_OF
    ).warnings
    assert "accounts, industry: unknown to the model in 1 of 1 accounts" in industry
    assert "known: 'steel'" in industry
    assert country.startswith("accounts, country: empty throughout, and the model knows 1 values")
