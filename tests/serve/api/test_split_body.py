"""A body is cut only where its groups are told apart: what the parts say is what the whole says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.serve.api.body_parsing import parse_body
from mqbg.serve.api.group_tables import GROUPS_KEY, OPTION_KEYS
from mqbg.serve.api.problem_details import HttpProblem
from mqbg.serve.api.split_body import split_body
from mqbg.settings import ApiSettings

BETWEEN = '}, {"a": '
TEXTS = st.text(max_size=3) | st.sampled_from([BETWEEN, '"', "\\", "]}", '], "b": [{"a": 1', "名"])
VALUES = st.recursive(
    st.integers(0, 9) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
GROUPS = st.lists(st.builds(lambda first, rest: {"a": first, "b": rest}, VALUES, VALUES))
OPTIONS = st.sampled_from([[], ["as_of"], ["language", "as_of"]])


def body_of(groups, before=(), behind=(), **written):
    options = {"as_of": "2025-09-01", "language": None}
    keys = [*before, GROUPS_KEY, *behind]
    return json.dumps(
        {key: groups if key == GROUPS_KEY else options[key] for key in keys}, **written
    ).encode()


def accepted(body):
    """What a body says, or None where the server refuses it for its shape."""
    try:
        root = parse_body(body, ApiSettings())
    except HttpProblem:
        return None
    options = [root[key] for key in OPTION_KEYS if key in root]
    known = set(root) <= {*OPTION_KEYS, GROUPS_KEY} and isinstance(root.get(GROUPS_KEY), list)
    return root if known and all(isinstance(one, str | None) for one in options) else None


@given(GROUPS, OPTIONS, st.integers(1, 4), st.sampled_from([None, 0, 2]), st.booleans())
def test_parts_that_are_all_accepted_hold_the_groups_of_the_whole(
    groups, before, parts, indent, ascii_only
):
    behind = [key for key in OPTION_KEYS if key not in before]
    body = body_of(groups, before, behind, indent=indent, ensure_ascii=ascii_only)
    found = [accepted(part) for part in split_body(body, parts)]
    assert 1 <= len(found) <= parts
    if None not in found:
        assert [group for part in found for group in part[GROUPS_KEY]] == groups
        assert all(part.keys() == accepted(body).keys() for part in found)


@given(st.lists(st.sampled_from([*'{}[],:" ', '"a": 1', BETWEEN, '"groups": [']), max_size=30))
def test_where_the_whole_is_no_body_one_of_its_parts_is_none(tokens):
    body = ('{"as_of": "2025-09-01", "groups": [{"a": 1' + "".join(tokens) + "}]}").encode()
    found = [accepted(part) for part in split_body(body, 2)]
    if None not in found:
        groups = [group for part in found for group in part[GROUPS_KEY]]
        assert accepted(body) == {"as_of": "2025-09-01", GROUPS_KEY: groups}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(("before", "behind"), [(["as_of"], ["language"]), ([], ["as_of"])])
def test_a_long_list_is_cut_into_parts_of_about_one_length(indent, before, behind):
    groups = [{"a": {"x": number}, "b": [{"x": 1}, {"x": 2}]} for number in range(90)]
    body = body_of(groups, before, behind, indent=indent)
    parts = split_body(body, 3)
    assert [len(accepted(part)[GROUPS_KEY]) for part in parts] == pytest.approx([30] * 3, abs=3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{" * 9,
        b'{"as_of": "2025-09-01", "groups": []}',
        b'{"groups": [{}, {}, {}]}',
        b'{"as_of": "2025-09-01", "groups": [{"a": 1}, {"b": 1}, {"c": 1}]}',
        b'{"as_of": "2025-09-01", "account": {"a": 1}, "contacts": [{"a": 1}, {"a": 1}]}',
    ],
)
def test_what_cannot_be_cut_stays_as_it_is(body):
    assert split_body(body, 2) == [body]
