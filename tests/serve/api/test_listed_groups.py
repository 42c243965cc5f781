"""What is read by columns is what the careful way reads; all that is unusual is left to that."""

from __future__ import annotations

import copy
import json
import re
from datetime import datetime
from functools import partial

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mqbg.contract import TABLES
from mqbg.serve.api.body_parsing import parse_body
from mqbg.serve.api.body_values import ValueConverter
from mqbg.serve.api.examples import REQUEST
from mqbg.serve.api.group_tables import (
    KEYS,
    MAX_GROUPS,
    OPTION_KEYS,
    REQUIRED_KEYS,
    SINGLE_ROW_KEYS,
    GroupTables,
    parse_group_list,
)
from mqbg.serve.api.listed_groups import read_listed_groups
from mqbg.serve.api.merged_groups import (
    MARKS,
    MAX_ID_LENGTH,
    SOLUTION_ID,
    merge_groups,
    mergeable_runs,
)
from mqbg.serve.api.problem_details import HttpProblem
from mqbg.settings import ApiSettings

SETTINGS = ApiSettings()
GROUP = {key: value for key, value in REQUEST.items() if key not in OPTION_KEYS}
OTHER = {**GROUP, "buying_group": {**GROUP["buying_group"], "group_id": "g2"}}


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


def read(connection, body, settings=SETTINGS):
    return read_listed_groups(body, settings, partial(ValueConverter().convert_times, connection))


def list_of(*groups, **options):
    return json.dumps({"as_of": REQUEST["as_of"], **options, "groups": groups}).encode()


def with_row(key, **values):
    """The group with other values in the first row of a key."""
    group = copy.deepcopy(GROUP)
    rows = group[key]
    (rows if isinstance(rows, dict) else rows[0]).update(values)
    return group


def in_the_careful_way(body):
    """The groups of a body; None where one is refused."""
    try:
        groups = parse_group_list(parse_body(body, SETTINGS), SETTINGS)
    except HttpProblem:
        return None
    return groups if all(isinstance(group, GroupTables) for group in groups) else None


def shown(columns):
    """Values that tell -0.0 from 0.0, and whole numbers from others."""
    return {name: list(map(repr, values)) for name, values in columns.items()}


def by_columns(connection, body):
    """What is read by columns; None where it is left alone."""
    found = read(connection, body)
    return found and {
        "tables": {
            name: (rows.size, shown({one: v.to_pylist() for one, v in rows.columns.items()}))
            for name, rows in found.tables.items()
        },
        "options": (found.as_of, found.language),
        "ids": (found.group_ids, found.marks, found.populations.to_pylist()),
        "groups": [found.group_tables(place) for place in range(len(found.group_ids))],
    }


def carefully(connection, body):
    """The same in the careful way; None where that refuses it, or does not score it together."""
    groups = in_the_careful_way(body)
    if not groups or mergeable_runs(groups) != [list(range(len(groups)))]:
        return None
    merged = merge_groups(groups)
    filled = {name: rows for name, rows in merged.tables.items() if rows.size}
    tables = ValueConverter().convert_tables(connection, filled)
    return {
        "tables": {name: (rows.size, shown(rows.columns)) for name, rows in tables.items()},
        "options": (groups[0].as_of, groups[0].language),
        "ids": (
            tuple(group.group_id for group in groups), merged.marks, list(merged.populations),
        ),
        "groups": groups,
    }  # fmt: skip


def test_a_common_body_is_read_as_in_the_careful_way(connection):
    body = list_of(GROUP, OTHER, language="ja")
    assert by_columns(connection, body) == carefully(connection, body) is not None


def test_groups_of_a_world_are_read_as_in_the_careful_way(connection, scored, body_of):
    bodies = [body_of(group_id) for group_id in scored.scores["group_id"].to_pylist()[:9]]
    groups = [{key: one[key] for key in one if key not in OPTION_KEYS} for one in bodies]
    body = json.dumps({"as_of": bodies[0]["as_of"], "groups": groups}).encode()
    assert by_columns(connection, body) == carefully(connection, body) is not None


@pytest.mark.parametrize("text", ["", " ", "N/A", " nan\n", "None", "\u3000", "n/a b", "名 前"])
@pytest.mark.parametrize(
    ("key", "column"),
    [("activities", "activity_id"), ("contacts", "account_id"), ("contacts", "title"),
     ("account", "name")],
)  # fmt: skip
def test_texts_that_stand_for_no_value_are_null_and_have_no_mark(connection, key, column, text):
    body = list_of(with_row(key, **{column: text}))
    assert by_columns(connection, body) == carefully(connection, body) is not None


@pytest.mark.parametrize(
    "time",
    ["2024-02-29T23:59:59Z", "1000-01-01T00:00:00.1Z", "2999-12-31T23:59:59.999999Z", None],
)
def test_canonical_times_are_instants(connection, time):
    group = with_row("activities", occurred_at=time)
    body = list_of(group, GROUP)
    assert by_columns(connection, body) == carefully(connection, body) is not None


def test_a_character_in_two_escaped_halves_is_read(connection):
    body = list_of(with_row("contacts", full_name="Aoba \U0001f600"))
    assert rb"\ud83d\ude00" in body
    assert by_columns(connection, body) == carefully(connection, body) is not None


ODD_TIMES = [
    "", " ", "soon", "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2016-12-31T23:59:60Z",
    "2024-01-01", "2024-01-01T09Z", "2024-01-01T09:00Z", "2024-01-01T09:00:00",
    "2024-01-01 09:00:00Z", "2024-01-01T09:00:00z", "2024-01-01T09:00:00+09:00",
    "2024-01-01T09:00:00.Z", "2024-01-01T09:00:00.1234567Z", "2024-01-01T09:00:00,5Z",
    "0999-12-31T00:00:00Z", "0000-01-01T00:00:00Z", "3000-01-01T00:00:00Z",
    " 2024-01-01T09:00:00Z", "2024-01-01T09:00:00Z\n2024-01-01T09:00:00Z",
    "２０２４-01-01T00:00:00Z", "20240101T090000Z", "12024-01-01T09:00:00Z",
]  # fmt: skip


@pytest.mark.parametrize("time", ODD_TIMES)
def test_other_times_are_read_by_the_rules_of_the_careful_way(connection, time):
    body = list_of(GROUP, with_row("activities", occurred_at=time))
    assert by_columns(connection, body) == carefully(connection, body) is not None


def test_rows_of_a_group_are_together_with_its_own_first(connection):
    more = {"other_accounts": [{"account_id": "a2"}], "other_groups": [{"group_id": "g0"}]}
    groups = [{**GROUP, **more, "other_solutions": [{"solution_id": "s9"}]}, {**OTHER, **more}]
    body = list_of(*groups)
    assert by_columns(connection, body) == carefully(connection, body) is not None


def test_a_body_in_another_order_or_with_blanks_is_the_same(connection):
    group = {key: GROUP[key] for key in reversed(GROUP)}
    body = {"groups": [group, {**OTHER, "verdicts": None}], "as_of": "2025-09-01"}
    body = b"\n " + json.dumps(body, indent=1).encode() + b"\n"
    assert by_columns(connection, body) == carefully(connection, body) is not None


def test_too_many_values_are_refused_first(connection):
    with pytest.raises(HttpProblem, match="at most 5 values"):
        read(connection, list_of(GROUP), ApiSettings(max_values=5))


def replaced(old, new, body=None):
    body = body or list_of(GROUP)
    assert old.encode() in body
    return body.replace(old.encode(), new if isinstance(new, bytes) else new.encode(), 1)


NOT_JSON = {
    "nothing": b"",
    "blanks": b" \n",
    "half": list_of(GROUP)[:-1],
    "two": list_of(GROUP) * 2,
    "more behind": list_of(GROUP) + b" x",
    "a bracket behind": list_of(GROUP) + b"]",
    "null behind": list_of(GROUP) + b"null",
    "a zero byte behind": list_of(GROUP) + b"\0",
    "null": b"null",
    "null before": b"null" + list_of(GROUP),
    "a list": b"[" + list_of(GROUP) + b"]",
    "a number": b"3",
    "depth": b'{"groups":' * 99_999,
    "a byte order mark": b"\xef\xbb\xbf" + list_of(GROUP),
    "no UTF-8": replaced("Aoba", b"\xff"),
    "a surrogate": replaced("Aoba", b"\xed\xa0\x80"),
    "a control character": replaced("Aoba", "\x7f"),
    "an escaped one": replaced("Aoba", "\\u0007"),
    "an escaped surrogate": replaced("Aoba", "\\ud800"),
    "the second half of a pair": replaced("Aoba", "\\ude00"),
    "the halves of a pair apart": replaced("Aoba", "\\ud83d \\ude00"),
    "a second half behind a text like the first": replaced("Aoba", "\\\\ud83d\\ude00"),
    "a new line in a text": replaced("Aoba", "\n"),
    "an unknown escape": replaced("Aoba", "\\x"),
    "NaN": replaced("2400", "NaN"),
    "Infinity": replaced("2400", "-Infinity"),
    "a number beyond doubles": replaced("2400", "1e400"),
    "a leading zero": replaced("2400", "02400"),
    "a key twice": replaced('"tier": "A"', '"tier": "A", "tier": "A"'),
    "a null key twice": replaced('"tier": "A"', '"tier": null, "tier": "A"'),
    "a list twice": replaced('"members"', '"members": [], "members"'),
}
OF_ANOTHER_SHAPE = {
    "one group": json.dumps(REQUEST).encode(),
    "no list": b'{"as_of": "2025-09-01"}',
    "null for the list": b'{"as_of": "2025-09-01", "groups": null}',
    "no groups": list_of(),
    "too many groups": list_of(*[GROUP] * (MAX_GROUPS + 1)),
    "a group that is null": list_of(GROUP, None),
    "a group that is none": list_of(3),
    "no as_of": json.dumps({"groups": [GROUP]}).encode(),
    "null for as_of": list_of(GROUP, as_of=None),
    "an as_of that is none": list_of(GROUP, as_of="soon"),
    "an as_of too early": list_of(GROUP, as_of="1989-12-31"),
    "a language that is no text": list_of(GROUP, language=3),
    "an unknown key": list_of(GROUP, colour="red"),
    "an unknown key of a group": list_of({**GROUP, "colour": []}),
    "as_of in a group": list_of({**GROUP, "as_of": "2025-09-01"}),
    "an unknown column": list_of(with_row("account", colour="red")),
    "a row that is null": list_of({**GROUP, "contents": [None]}),
    "a row that is none": list_of({**GROUP, "contents": ["w1"]}),
    "rows that are no list": list_of({**GROUP, "contents": {}}),
    "a row in a list": list_of({**GROUP, "account": [GROUP["account"]]}),
    "a number for a text": list_of(with_row("account", name=3)),
    "a text for a number": list_of(with_row("account", employees="3")),
    "true for a number": list_of(with_row("account", employees=True)),
    "a number for true": list_of(with_row("contents", gated=1)),
    "no group_id": list_of(with_row("buying_group", group_id=None)),
    **{f"no {key}": list_of({**GROUP, key: None}) for key in REQUIRED_KEYS if key in GROUP},
}
OF_S2 = {"buying_group": {**OTHER["buying_group"], "solution_id": "s2"}}
TO_BE_LOOKED_AT = {
    "half a person": list_of(with_row("account", employees=3.5)),
    "a whole number with a fraction": list_of(with_row("account", employees=3.0)),
    "a large whole number": list_of(with_row("account", employees=2**53)),
    "a larger one": list_of(with_row("account", employees=-(2**62))),
    "a large number": list_of(with_row("activities", duration_seconds=1e300)),
    "a whole number that is no double": list_of(with_row("activities", duration_seconds=2**53 + 1)),
    "-0": replaced("2400", "-0"),
    "-0.0": replaced("2400", "-0.0"),
    "a long id": list_of(with_row("contacts", contact_id="c" * (MAX_ID_LENGTH + 1))),
    "a mark in an id": list_of(with_row("solution", solution_id=MARKS[0])),
    "a solution in two ways": list_of(GROUP, with_row("solution", name="Another")),
    "a solution with a name and without": list_of(GROUP, with_row("solution", name=None)),
    "a solution of no group": list_of(with_row("activities", solution_id="s2")),
    "a solution of another group": list_of(
        with_row("buying_group", solution_id="s2"),
        {**with_row("solution", solution_id="s2"), **OF_S2},
    ),
    "a mark in a name, escaped": list_of(with_row("account", name=MARKS[0])),
    "a mark in a name": replaced("Aoba", MARKS[0]),
    "a solution twice": list_of({**GROUP, "other_solutions": [GROUP["solution"]]}),
}
STRANGE = {**NOT_JSON, **OF_ANOTHER_SHAPE, **TO_BE_LOOKED_AT}


@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE)
def test_what_is_unusual_is_left_to_the_careful_way(connection, body):
    assert read(connection, body) is None


@pytest.mark.parametrize("limit", ["max_rows", "max_members", "max_activities", "max_depth"])
def test_what_is_beyond_a_limit_is_left_to_the_careful_way(connection, limit):
    rows = {"contents": [{"content_id": str(number)} for number in range(3)]}
    body = list_of({**GROUP, **rows})
    low, enough = (4, 5) if limit == "max_depth" else (1, 3)
    assert read(connection, body, ApiSettings(**{limit: low})) is None
    assert read(connection, body, ApiSettings(**{limit: enough})) is not None


TEXTS = st.sampled_from(["a", "b", "", " ", "N/A", " null ", "\u3000", "名", "a\tb", '"\\', "None"])
USUAL: dict[str, st.SearchStrategy] = {
    "string": TEXTS,
    "timestamp": st.datetimes(datetime(1000, 1, 1), datetime(2999, 12, 31)).map(
        lambda at: at.isoformat() + "Z"
    ),
    "float64": st.floats(0.001, 2**52) | st.integers(0, 2**53 - 1),
    "int64": st.integers(-(2**53) + 1, 2**53 - 1),
    "boolean": st.booleans(),
}
UNUSUAL: dict[str, st.SearchStrategy] = {
    "string": st.text(st.characters(codec="utf-8"), max_size=5),
    "timestamp": st.from_regex(
        r"\A[0-3][0-9]{3}-[01][0-9]-[0-3][0-9][T ]?"
        r"[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?(\.[0-9]*)?Z?\Z",
        alphabet=st.characters(codec="ascii"),
    ),
    "float64": st.floats() | st.sampled_from([-0.0, 2**53 + 1, 1e300, 1e-320]),
    "int64": st.integers() | st.sampled_from([3.0, 0.5]),
    "boolean": st.sampled_from([0, "true"]),
}


OWN = "the group's own"


def rows_of(table, values):
    columns = {one.name: st.none() | values[one.dtype] for one in TABLES[table].columns}
    if table != "solutions" and SOLUTION_ID in columns:
        others = columns[SOLUTION_ID] if values is not USUAL else st.none()
        columns[SOLUTION_ID] = others | st.sampled_from(["", OWN])
    return st.fixed_dictionaries({}, optional=columns)


def with_own_solution(group):
    """The group with the id of its solution wherever `OWN` stands for it."""
    text, own = json.dumps(group), group["solution"].get(SOLUTION_ID)
    return json.loads(text.replace(json.dumps(OWN), json.dumps(own)))


def groups_of(values):
    def values_of(key, table):
        rows = rows_of(table, values)
        return rows if key in SINGLE_ROW_KEYS else st.lists(rows, max_size=3)

    optional = {key: st.none() | values_of(key, KEYS[key]) for key in KEYS}
    # Two solutions of one id are left alone nearly always, and have tests of their own.
    optional["other_solutions"] = st.just([]) | st.none()
    required = {key: values_of(key, KEYS[key]) for key in REQUIRED_KEYS if key in KEYS}
    required["solution"] = st.sampled_from([GROUP["solution"], {"solution_id": "s2"}, {}])
    required["buying_group"] = st.builds(
        lambda row, group_id: {**row, "group_id": group_id},
        rows_of("buying_groups", values),
        TEXTS,
    )
    optional = {key: optional[key] for key in KEYS if key not in required}
    return st.fixed_dictionaries(required, optional=optional).map(with_own_solution)


USUAL_GROUPS = groups_of(USUAL)
GROUPS = USUAL_GROUPS | groups_of({dtype: USUAL[dtype] | UNUSUAL[dtype] for dtype in USUAL})


@given(st.lists(USUAL_GROUPS, min_size=1, max_size=3))
def test_rows_of_usual_values_are_read_as_in_the_careful_way(connection, groups):
    body = list_of(*groups)
    assert by_columns(connection, body) == carefully(connection, body) is not None


@given(st.lists(GROUPS, min_size=1, max_size=3), st.booleans(), st.sampled_from([None, 1]))
def test_a_body_is_left_alone_or_read_as_in_the_careful_way(connection, groups, ascii_only, indent):
    body = {"as_of": "2025-09-01", "groups": groups}
    text = json.dumps(body, ensure_ascii=ascii_only, indent=indent).encode()
    assert by_columns(connection, text) in (None, carefully(connection, text))


@given(st.lists(USUAL["timestamp"] | UNUSUAL["timestamp"], min_size=1, max_size=3))
@example(["2024-01-01T09:00:00Z", "2024-01-01T09:00:00.5Z"])
def test_times_are_left_alone_or_read_as_in_the_careful_way(connection, times):
    row = GROUP["activities"][0]
    group = {**GROUP, "activities": [{**row, "occurred_at": time} for time in times]}
    assert by_columns(connection, list_of(group)) in (None, carefully(connection, list_of(group)))


TOKENS = [match[0] for match in re.finditer(rb'"[^"]*"|[^"]', list_of(GROUP))]


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(TOKENS) - 1),
            st.sampled_from([*b'{}[],:"0-.e\\ \n\0'.decode(), "", "null", "NaN", "{}", "1e5", "a"]),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_spoilt_body_is_left_alone_or_read_as_in_the_careful_way(connection, changes):
    tokens = list(TOKENS)
    for place, token in changes:
        tokens[place] = token.encode()
    body = b"".join(tokens)
    assert by_columns(connection, body) in (None, carefully(connection, body))
