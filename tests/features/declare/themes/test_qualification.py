"""What inside sales heard: which questions, from whom, how lately, what last."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.features.declare.template import Template
from mqbg.features.declare.themes import qualification
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.features.tables.group_facts import answer_columns

AS_OF = datetime(2024, 6, 1)
DAY = timedelta(days=1)


def answer(question, text, days, **more):
    return {
        "group_id": "g1",
        "question": question,
        "answer": text,
        "answered_at": AS_OF - days * DAY,
        **more,
    }


@pytest.fixture(scope="module")
def row(features_at):
    tables = {
        "members": [{"group_id": "g1", "contact_id": contact} for contact in ("c1", "c2")],
        "answers": [
            answer("予算 (年)", "none yet", 40, contact_id="c1"),
            answer("予算 (年)", "approved", 4, contact_id="c2"),
            answer("予算 (年)", "withdrawn", 0, contact_id="c2"),
            answer("rival", "B", 7),
            answer("rival", "A", 7, contact_id="c1"),
            answer("rival", "C", 9),
            answer("timing", "Q3", 0),
            answer("timing", "Q4", -1),
        ],
        "buying_groups": [{"group_id": "g2"}],
    }
    return features_at(
        tables, AS_OF, before=AS_OF + 2 * DAY, names=[*GIVEN, "touches_answered_share"]
    )


GIVEN = {
    "answer_予算_年": "approved",
    "answer_rival": "B",  # two at one instant: the last by its text
    "answer_timing": None,  # not known yet
    "questions_answered": 2,
    "questions_share": 2 / 3,
    "answering_people": 2,
    "answers_with_person_share": 3 / 5,
    "days_since_answer": 4,
}


def test_answers_are_those_given_before_the_cutoff(row):
    assert {name: row["g1"][name] for name in GIVEN} == GIVEN


def test_without_answers_counts_are_zero_and_the_rest_is_null(row):
    nothing = {name: row["g2"][name] for name in row["g2"] if "answer" in name}
    assert nothing.pop("questions_answered") == nothing.pop("answering_people") == 0
    assert nothing.pop("touches_answered_share") is None
    assert set(nothing.values()) == {None}
    assert row["g2"]["questions_share"] == 0


def test_an_answer_is_a_category_that_names_its_question():
    words = Vocabulary(Template(()), questions=("予算 (年)",))
    found = [feature for feature in qualification.features(words) if feature.categorical]
    assert [feature.name for feature in found] == ["answer_予算_年"]
    assert found[0].subject == ("questions", "予算 (年)")
    assert found[0].describe("ja") == "「予算 (年)」についての最新の回答"


@settings(max_examples=60, derandomize=True)
@given(st.lists(st.text(min_size=1, max_size=8), max_size=8, unique=True))
def test_no_question_takes_the_name_of_another_column(questions):
    words = Vocabulary(Template(()), questions=tuple(questions))
    names = [feature.name.lower() for feature in qualification.features(words)]
    assert len(set(names)) == len(names) == 5 + len(answer_columns(words))
