"""Qualification: what inside sales has heard, from whom, how lately."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ...tables.group_facts import answer_columns
from ..expressions import Expression, column, indicator, ratio, total
from ..feature import Feature
from ..vocabulary import Vocabulary


def features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return (
        Feature(
            "questions_answered", "qualification", "questions",
            "different questions answered to inside sales",
            "インサイドセールスの質問への回答数（質問の種類）", column("questions_answered"), "up",
        ),
        Feature(
            "questions_share", "qualification", "share",
            "share of the usual questions answered", "主な質問のうち回答を得た割合",
            _answered_share(vocabulary), "up",
        ),
        Feature(
            "answering_people", "qualification", "people",
            "people who answered inside sales", "インサイドセールスに回答した人数",
            column("answering_people"), "up",
        ),
        Feature(
            "answers_with_person_share", "qualification", "share",
            "share of answers that name who gave them", "回答者が分かっている回答の割合",
            lambda t: ratio(t.answers_with_person, t.answers),
        ),
        Feature(
            "days_since_answer", "qualification", "days",
            "days since the last answer", "最後の回答からの日数",
            column("days_since_answer"), "down",
        ),
        *(
            Feature(
                answer_column, "qualification", "category",
                "latest answer about {subject}", "「{subject}」についての最新の回答",
                column(answer_column), categorical=True, subject=("questions", question),
            )
            for question, answer_column in answer_columns(vocabulary).items()
        ),
    )  # fmt: skip


def _answered_share(vocabulary: Vocabulary) -> Expression:
    columns = tuple(answer_columns(vocabulary).values())

    def value(t: ir.Table) -> ir.Value:
        if not columns:
            return ibis.null("float64")
        return total([indicator(t[column].notnull()) for column in columns]) / float(len(columns))

    return value
