from __future__ import annotations

import difflib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mqbg.contract import BadInput
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.model.bundle import Bundle
from mqbg.model.data_fit import data_fit, request_warnings, require_fit
from mqbg.model.data_profile import DataProfile, data_profile
from mqbg.settings import RoleRequirement, Settings

AS_OF = datetime(2024, 6, 1)
ROLES = ("decision_maker", "user")


def bundle(
    settings: Settings | None = None,
    profile: DataProfile | None = None,
    *,
    measured: bool = True,
    **categories: tuple[str, ...],
) -> Bundle:
    """What the comparison reads of a bundle: settings, vocabulary, values of categories."""
    roles = tuple(TemplateRole(role, role, RoleRequirement(), {}) for role in ROLES)
    vocabulary = Vocabulary(Template(roles), families=("fax",))
    parts = {"settings": settings or Settings(), "vocabulary": vocabulary}
    facts = {"category_values": categories, "profile": profile, "measured": measured}
    return cast("Bundle", SimpleNamespace(**parts, **facts))


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
        "members, role: unknown to the model in 1 of 3 member rows (33%): "
        "'Decision Maker' (1, known: 'decision_maker')"
    )
    require_fit(fit, "score")


def test_a_role_that_no_row_has_and_no_name_is_near_to_may_have_been_renamed(open_tables):
    (said,) = data_fit(open_tables(tables(["user", "Budget"], ["fax"])), bundle(), AS_OF).warnings
    assert said.endswith("'Budget' (1); known and in no row: 'decision_maker'")


@pytest.mark.parametrize(
    ("roles", "kinds"),
    [(["USER", "DECISION MAKER"], ["fax"]), (["user"], ["visits", "calls", "fax"])],
)
def test_most_roles_or_kinds_unknown_are_refused(open_tables, caplog, roles, kinds):
    fit = data_fit(open_tables(tables(roles, kinds)), bundle(), AS_OF)
    caplog.clear()
    with pytest.raises(BadInput, match=r"^score: expected names that the model knows.*--force$"):
        require_fit(fit, "score")
    assert not caplog.records  # the sentence is in the refusal
    require_fit(fit, "score", force=True)
    assert [record.message for record in caplog.records] == list(fit.warnings)


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
    assert country.startswith("accounts, country: empty throughout, and the model knows its values")


def test_the_profile_counts_what_was_known_in_ninety_days_and_what_is_filled(open_tables):
    rows = tables(["user"], ["fax", "fax", "meeting"], "steel")
    rows["accounts"].append({"account_id": "a2", "name": "B"})
    rows["activities"] += [
        {"contact_id": "c0", "kind": "fax", "occurred_at": AS_OF},  # not before the cut-off
        {"contact_id": "c0", "kind": "fax", "occurred_at": AS_OF - timedelta(days=91)},
    ]
    rows["activities"][0]["duration_seconds"] = 9.0
    profile = data_profile(open_tables(rows).contract_tables, Settings(), AS_OF)
    assert (profile.groups, profile.kinds) == (1, {"fax": 2, "meeting": 1})
    assert profile.filled["accounts.industry"] == 0.5
    assert profile.filled["activities.duration_seconds"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (
            40,
            4,
            "a tenth or less of what training had for as many open groups in 90 days: 'fax' (4,",
        ),
        (40, 5, None),
        (19, 0, None),  # few are no evidence
        (
            2,
            50,
            "ten times or more of what training had for as many open groups in 90 days: 'fax' (50",
        ),
        (2, 49, None),
    ],
)
def test_a_kind_that_fell_or_rose_tenfold_is_said_by_open_group(open_tables, before, now, said):
    """Training had twice as many open groups, and so twice as many activities."""
    source = open_tables(tables(["user"], ["meeting", *["fax"] * now]))
    profile = DataProfile(2, {"fax": 2 * before, "meeting": 2})
    fit = data_fit(source, bundle(profile=profile), AS_OF)
    assert [one.kind for one in fit.volumes] == (["fax"] if said else [])
    assert [said in warning for warning in fit.warnings if "training" in warning] == (
        [True] if said else []
    )


def test_kinds_that_fell_together_are_one_sentence(open_tables):
    kinds = {f"kind{i}": 100 + i for i in range(7)}
    fit = data_fit(open_tables(tables(["user"], [])), bundle(profile=DataProfile(1, kinds)), AS_OF)
    (said,) = fit.warnings
    assert len(fit.volumes) == 7
    assert "'kind6' (0, expected 106), 'kind5'" in said
    assert said.endswith("and 2 more; the export may lack them")


def test_solutions_that_the_training_did_not_have_are_said(open_tables):
    rows = tables(["user"], ["fax"])
    (said,) = data_fit(open_tables(rows), bundle(solution=("s9",)), AS_OF).warnings
    assert said.startswith("buying_groups, solution_id: unknown to the model in 1 of 1 open groups")


@pytest.mark.parametrize(("before", "gone"), [(0.9, True), (0.2, True), (0.1, False)])
def test_a_column_that_is_gone_since_the_training_is_said(open_tables, before, gone):
    source = open_tables(tables(["user"], ["fax"]))
    profile = DataProfile(1, {"fax": 1}, {"activities.duration_seconds": before})
    emptied = data_fit(source, bundle(profile=profile), AS_OF).emptied
    assert [one.place for one in emptied] == (["activities.duration_seconds"] if gone else [])


def test_kinds_that_the_training_had_are_known_however_many_families_there_were(open_tables):
    profile = DataProfile(1, {"telex": 4, "fax": 1})
    source = open_tables(tables(["user"], ["telex", "telex", "visits"]))
    (unknown,) = data_fit(source, bundle(profile=profile), AS_OF).unknown
    assert [name for name, _rows, _near in unknown.names] == ["visits"]


def test_values_for_json_hold_counts_shares_and_sentences(open_tables):
    fit = data_fit(open_tables(tables(["user", "User"], ["fax"])), bundle(), AS_OF)
    values = json.loads(json.dumps(fit.values(), allow_nan=False))
    (unknown,) = values["unknown"]
    assert (unknown["place"], unknown["share"]) == ("members.role", 0.5)
    assert unknown["names"] == [["User", 1, "user"]]
    assert values["warnings"] == list(fit.warnings)
    assert values["refusal"] == fit.refusal


def test_a_request_is_told_of_unknown_names_and_not_of_what_it_leaves_out():
    said = request_warnings(
        {
            "members": {"role": ["user", "Users", None]},
            "activities": {"kind": ["fax", "fax"]},
            "accounts": {"account_id": ["a1"], "industry": [None]},
        },
        bundle(industry=("steel",)),
    )
    assert said == (
        (
            "members, role: unknown to the model in 1 of 2 member rows (50%): "
            "'Users' (1, known: 'user')"
        ),
    )


def test_a_request_is_compared_by_few_names_and_by_their_beginnings(monkeypatch):
    compared = []
    monkeypatch.setattr(
        difflib, "get_close_matches", lambda name, *_known, **_options: compared.append(name) or []
    )
    kinds = [f"{'kind ' * 1_000}{number}" for number in range(100)]
    (said,) = request_warnings({"activities": {"kind": kinds}}, bundle())
    assert "and 95 more" in said
    assert len(compared) == 5
    assert max(map(len, compared)) <= 60


def test_a_request_to_a_model_without_conversions_is_told_that_nothing_was_measured():
    (note,) = request_warnings({}, bundle(measured=False))
    assert "no measured chance" in note


def test_where_a_role_stands_for_the_rest_no_role_is_unknown(open_tables):
    model = bundle()
    rest = TemplateRole("other", "other", RoleRequirement(0), {}, rest=True)
    roles = (*model.vocabulary.template.roles, rest)
    model.vocabulary = replace(model.vocabulary, template=Template(roles))
    fit = data_fit(open_tables(tables(["Head of IT", "CFO"], ["fax"])), model, AS_OF)
    assert (fit.warnings, fit.refusal) == ((), None)
