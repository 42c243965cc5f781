"""Month, quarter and the buyers' fiscal year."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.features.declare.expressions import cutoff_literal
from mqbg.features.declare.template import Template
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.features.tables.group_facts import CALENDAR_FACTS, group_facts
from mqbg.settings import FeatureSettings


@pytest.fixture(scope="module")
def calendar_at(open_tables):
    source = open_tables({"buying_groups": [{"group_id": "g1"}]})

    def columns(as_of, end_month):
        words = Vocabulary(Template(()), settings=FeatureSettings(fiscal_year_end_month=end_month))
        groups = source.tables["buying_groups"]
        facts = group_facts(
            source.tables, source.settings, words, groups, cutoff_literal(as_of), subset=False
        )
        return tuple(facts.select(*CALENDAR_FACTS).to_pyarrow().to_pylist()[0].values())

    return columns


@pytest.mark.parametrize(
    ("as_of", "end_month", "wanted"),
    [
        (datetime(2024, 3, 31, 23, 59), 3, (3, 1, 0)),  # the last day itself
        (datetime(2024, 4, 1), 3, (4, 2, 364)),
        (datetime(2023, 4, 1), 3, (4, 2, 365)),  # over a 29 February
        (datetime(2024, 2, 28), 2, (2, 1, 1)),
        (datetime(2024, 12, 31), 12, (12, 4, 0)),
        (datetime(2024, 1, 1), 12, (1, 1, 365)),
    ],
)
def test_the_fiscal_year_ends_with_the_last_day_of_its_month(calendar_at, as_of, end_month, wanted):
    assert calendar_at(as_of, end_month) == wanted


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    as_of=st.datetimes(datetime(1995, 1, 1), datetime(2100, 1, 1)),
    end_month=st.integers(1, 12),
)
def test_days_to_the_end_equal_counting_them_one_by_one(calendar_at, as_of, end_month):
    day, days = as_of.date(), 0
    while not is_last_day(day, end_month):
        day, days = day + timedelta(days=1), days + 1
    assert calendar_at(as_of, end_month) == (as_of.month, (as_of.month + 2) // 3, days)


def is_last_day(day: date, month: int) -> bool:
    return day.month == month and (day + timedelta(days=1)).month != month
