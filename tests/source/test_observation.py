"""Where data begins and ends: one wrong date moves neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.contract import TABLES, schema
from mqbg.settings import ObservationSettings, Settings
from mqbg.source.checks import check_source
from mqbg.source.observation import (
    Day,
    end_of_observation,
    first_ordinary_day,
    last_ordinary_day,
    start_of_activities,
    start_of_groups,
)
from mqbg.source.staging import open_source

START = datetime(2024, 1, 1)


def days(*at: datetime, rows: int = 1) -> list[Day]:
    return [Day(day, rows, day, day) for day in sorted(at)]


def daily(count: int, rows: int = 5) -> list[Day]:
    return days(*(START + timedelta(days=i) for i in range(count)), rows=rows)


@pytest.mark.parametrize("years", [1, 2, 5, 100])
@pytest.mark.parametrize("planned", [1, 2, 3])
def test_rows_of_the_future_are_not_the_end(years, planned):
    usual = daily(100)
    future = days(*(START + timedelta(days=100 + 365 * years + 20 * i) for i in range(planned)))
    assert last_ordinary_day([*usual, *future]) == usual[-1]


def test_meetings_planned_week_by_week_are_not_the_end():
    usual = daily(100, rows=40)
    planned = days(*(usual[-1].day + timedelta(days=i) for i in range(7, 90, 2)), rows=1)
    assert last_ordinary_day([*usual, *planned]).day <= usual[-1].day + timedelta(days=7)


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_tasks_that_are_due_in_batches_are_not_the_end(rows):
    """As many on one day as on an ordinary one, month by month for a year."""
    usual = daily(100, rows=4)
    due = days(*(usual[-1].day + timedelta(days=40 + 30 * i) for i in range(12)), rows=rows)
    assert last_ordinary_day([*usual, *due]) == usual[-1]


@pytest.mark.parametrize("pause", [20, 60])
def test_after_a_pause_the_data_goes_on(pause):
    before, after = daily(100), daily(100)
    later = [Day(d.day + timedelta(days=100 + pause), d.rows, d.first, d.last) for d in after]
    assert last_ordinary_day([*before, *later]) == later[-1]


def test_rows_of_the_past_are_not_the_beginning():
    usual = daily(100)
    assert (
        first_ordinary_day([*days(datetime(1999, 1, 1), datetime(2012, 5, 5)), *usual]) == usual[0]
    )


@pytest.mark.parametrize("rows", [10, 50, 400])
def test_a_default_date_that_many_rows_bear_is_not_the_beginning(rows):
    usual = daily(100)
    assert first_ordinary_day([*days(datetime(2000, 1, 1), rows=rows), *usual]) == usual[0]


def test_a_history_with_a_pause_of_years_begins_where_most_of_it_begins():
    later = daily(100)
    earlier = days(*(START - timedelta(days=3000 - i) for i in range(300)), rows=5)
    assert first_ordinary_day([*earlier, *later]) == earlier[0]


@given(st.integers(1, 400), st.integers(1, 50), st.integers(1, 40))
def test_even_data_begins_and_ends_with_its_first_and_last_row(count, rows, step):
    even = days(*(START + timedelta(days=i * step) for i in range(count)), rows=rows)
    assert last_ordinary_day(even) == even[-1]
    assert first_ordinary_day(even) == even[0]


@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2199, 1, 1)), min_size=1, max_size=29))
def test_of_a_few_rows_all_are_believed(instants):
    few = days(*set(instants))
    assert (first_ordinary_day(few), last_ordinary_day(few)) == (few[0], few[-1])


def tables(created: Sequence[datetime], occurred: Sequence[datetime]) -> dict[str, ibis.Table]:
    backend = ibis.duckdb.connect(threads=1)
    rows = {
        "buying_groups": [{"group_id": f"g{i}", "created_at": at} for i, at in enumerate(created)],
        "activities": [
            {"activity_id": f"x{i}", "occurred_at": at} for i, at in enumerate(occurred)
        ],
    }
    return {
        name: backend.create_table(
            name,
            pa.Table.from_pylist(
                [{c: row.get(c) for c in schema(name).names} for row in rows.get(name, [])],
                schema(name).to_pyarrow(),
            ),
        )
        for name in TABLES
    }


def test_the_setting_comes_before_what_the_data_says():
    data = tables([START], [START])
    until = datetime(2030, 1, 1)
    settings = Settings(observation=ObservationSettings(until))
    assert end_of_observation(data, settings) == until


def test_the_end_is_the_last_instant_of_the_last_ordinary_day_and_groups_say_the_beginning():
    noon = [START + timedelta(days=i, hours=12) for i in range(60)]
    old, planned = datetime(1999, 1, 1), datetime(2029, 1, 1)
    data = tables([*noon[30:], old], [*noon, old, planned])
    assert end_of_observation(data, Settings()) == noon[-1]
    assert start_of_groups(data) == noon[30]


LONG = [START - timedelta(days=i) for i in range(4000)]


@pytest.mark.parametrize(
    ("occurred", "since"),
    [
        ([START, *[START + timedelta(days=i) for i in range(40)]], None),
        ([START - timedelta(days=3 * 365), *[START] * 40], None),  # as old as may well be
        ([datetime(1999, 1, 1), *[START] * 40], START - timedelta(days=3 * 365)),
        ([datetime(1999, 1, 1), *LONG], LONG[-1]),  # a long history of ordinary volume counts
        (LONG, None),
        ([datetime(1999, 1, 1), START], None),  # of a few rows all are believed
    ],
)
def test_activities_alone_years_before_all_others_are_where_history_does_not_begin(occurred, since):
    assert start_of_activities(tables([START] * 40, occurred), START) == since


def write(folder: Path, activities: str, stage_events: str = "") -> Path:
    folder.mkdir()
    created = "\n".join(f"g{i},a1,s1,2024-01-{i % 20 + 1:02}" for i in range(40))
    texts = {
        "accounts": "account_id,name\na1,Acme\n",
        "contacts": "contact_id,account_id\nc1,a1\n",
        "solutions": "solution_id,name\ns1,Suite\n",
        "buying_groups": f"group_id,account_id,solution_id,created_at\n{created}\n",
        "members": "group_id,contact_id,role,joined_at\n"
        + "\n".join(f"g{i},c1,buyer,2024-01-20" for i in range(20)),
        "activities": f"activity_id,contact_id,kind,occurred_at\n{activities}",
        "stage_events": f"group_id,stage,occurred_at\ng1,opportunity,2024-01-25\n{stage_events}",
    }
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


USUAL = "".join(f"x{i},c1,visit,2024-01-{i % 28 + 1:02}\n" for i in range(60))


def test_rows_out_of_the_data_are_named_with_what_they_would_have_done(tmp_path):
    odd = "z1,c1,visit,2029-05-01\nz2,c1,visit,1999-01-01\nz3,c1,meeting,2024-04-10\n"
    data = write(tmp_path / "d", USUAL + odd, "g2,won,2031-01-01\n")
    with open_source(data, threads=1) as source:
        said = check_source(source).warnings
    (late,) = [s for s in said if s.startswith("activities.csv: rows after 2024-01-28")]
    assert "2, such as z3 (2024-04-10), z1 (2029-05-01)" in late
    assert "[observation] until" in late
    assert "label groups whose horizon is not over" in late
    (early,) = [s for s in said if "before groups begin" in s]
    assert "z2 (1999-01-01)" in early
    assert "no feature counts activities before 2021-01-01" in early
    (stage,) = [s for s in said if s.startswith("stage_events.csv: rows after")]
    assert "g2/won (2031-01-01)" in stage


ODD: Mapping[str, str] = {
    "buying_groups": "early,a1,s1,1999-02-01\nlate,a1,s1,2029-05-01\n",
    "members": "g30,c1,early,1999-02-01\ng31,c1,late,2029-05-01\n",
    "activities": "early,c1,visit,1999-02-01\nlate,c1,visit,2029-05-01\n",
    "stage_events": "g1,early,1999-02-01\ng1,late,2029-05-01\n",
    "verdicts": "g1,1999-02-01,accepted\ng1,2029-05-01,accepted\n",
    "answers": "g1,early,yes,1999-02-01\ng1,late,yes,2029-05-01\n",
    "costs": "1999-02,early,10\n2029-05,late,10\n",
}
HEADERS = {
    "verdicts": "group_id,decided_at,verdict\n",
    "answers": "group_id,question,answer,answered_at\n",
    "costs": "month,channel,amount\n",
}


def test_rows_out_of_the_data_are_named_in_every_table_and_move_nothing(tmp_path):
    data = write(tmp_path / "d", USUAL)
    for table, rows in ODD.items():
        path = data / f"{table}.csv"
        usual = HEADERS[table] if table in HEADERS else path.read_text().rstrip("\n") + "\n"
        path.write_text(usual + rows)
    with open_source(data, threads=1) as source:
        report = check_source(source)
        end = end_of_observation(source.tables, Settings())
        start = start_of_groups(source.tables)
    assert report.problems == ()
    for table in ODD:
        late, early = [s for s in report.warnings if s.startswith(f"{table}.csv: rows ")]
        assert "1, such as" in late
        assert "(2029-05-01)" in late
        assert "(1999-02-01)" in early
    assert (start, end) == (datetime(2024, 1, 1), datetime(2024, 1, 28))
