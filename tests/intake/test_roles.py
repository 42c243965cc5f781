# ruff: noqa: E501 - rows of exports are read more easily on one line
"""Roles from the CRM's values and from titles."""

import csv
import doctest

import pandas as pd
import pytest
from mqbg.intake.roles import crm_values, lexicon
from mqbg.intake.roles.crm_values import role_of_value
from mqbg.intake.roles.lexicon import ROLES, lexicon_role
from mqbg.intake.roles.titles import train_titles
from small_exports import SHARED


@pytest.mark.parametrize("module", [crm_values, lexicon])
def test_the_examples_of_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


def test_every_standard_value_of_salesforce_is_mapped():
    path = SHARED / "salesforce_roles" / "standard.csv"
    if not path.exists():
        pytest.skip("the standard values are not here")
    with path.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert {row["value"]: role_of_value(row["value"], {}) for row in rows} == {
        row["value"]: row["mqbg_role"] for row in rows
    }


@pytest.mark.parametrize(
    ("value", "role"),
    [("DECISION_MAKER", "decision_maker"), ("BUDGET_HOLDER", "budget_holder"), ("END_USER", "user"), ("最終決裁者（役員）", "decision_maker"),
     ("Competitor's champion", "negative"), ("競合推進派", "negative"), ("弊社営業", "own_side"), ("退職済", "not_a_buyer"),
     ("情シス評価担当", "technical_evaluator"), ("Other", ""), ("社内推進者", "champion"), ("社内営業", "own_side"), ("キーパーソン", "decision_maker"), ("決済者", "decision_maker"),
     ("Recommender", "champion"), ("Business Owner", "decision_maker"), ("Stakeholder", ""), ("Skeptic", "negative"), ("システム管理者", "technical_evaluator"), ("36", None), ("緑", None),
     ("Entscheider", "decision_maker"), ("Décideur", "decision_maker"), ("决策者", "decision_maker"), ("Einkäufer", "procurement"),
     ("Responsable de compras", "procurement"), ("Vendor manager", "procurement"), ("Vendor", "not_a_buyer"), ("Anwender", "user"), ("Technischer Prüfer", "technical_evaluator"),
     ("Gegner", "negative")],
)  # fmt: skip
def test_custom_values_are_understood_by_their_words(value, role):
    assert role_of_value(value, {}) == role


def test_what_the_settings_say_of_a_value_wins():
    assert role_of_value("Evaluator", {"evaluator": "champion"}) == "champion"


@pytest.mark.parametrize(
    ("title", "role"),
    [("代表取締役社長", "decision_maker"), ("執行役員 営業本部長", "decision_maker"), ("Chief Executive Officer", "decision_maker"),
     ("経理部長", "budget_holder"), ("CFO", "budget_holder"), ("VP Finance", "budget_holder"), ("情報システム部 主任", "technical_evaluator"),
     ("Senior Systems Engineer", "technical_evaluator"), ("購買部 課長", "procurement"), ("Procurement Manager", "procurement"),
     ("営業企画部 課長", "champion"), ("Marketing Manager", "champion"), ("営業部 担当", "user"), ("Sales Representative", "user"),
     ("<b>経理部長</b> 🎉", "budget_holder")],
)  # fmt: skip
def test_titles_say_roles(title, role):
    assert lexicon_role(title)[0] == role


def test_words_are_matched_on_their_borders():
    assert lexicon_role("Chairman")[0] == "decision_maker"  # no chAIr, no IT in it
    assert lexicon_role("Recruiter")[0] != "technical_evaluator"  # no recruITer


def test_the_field_of_the_department_helps_where_the_title_names_none():
    assert lexicon_role("部長", "経理部")[0] == "budget_holder"


def test_a_company_with_many_recorded_roles_teaches_its_own_titles():
    # In this company a 参与 of any department decides; the lexicon does not know the word.
    rows = [(f"第{one}部 参与", "", "decision_maker", 3) for one in range(200)]
    rows += [(f"第{one}部 現場", "", "user", 3) for one in range(200)]
    model = train_titles(pd.DataFrame(rows, columns=["title", "department", "role", "n"]), {})
    assert model.learned_from == 400
    assert model.roles(["第999部 参与"], [""])[0] == ["decision_maker"]


def test_few_recorded_roles_teach_nothing():
    few = pd.DataFrame(
        [("参与", "", "decision_maker", 3)], columns=["title", "department", "role", "n"]
    )
    assert train_titles(few, {}).learned_from == 0


def test_every_title_has_a_role_and_a_probability():
    for title in ("", "???", "課", "x" * 500):
        role, probability = lexicon_role(title)
        assert role in ROLES
        assert 0 < probability < 1
