from __future__ import annotations

import json
from contextlib import nullcontext, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.serve.api import body_parsing
from mqbg.serve.api.body_parsing import CONTROL_CHARACTERS, MAX_KEYS, parse_body
from mqbg.serve.api.problem_details import HttpProblem
from mqbg.settings import ApiSettings

DEPTH = 4
LIMITS = ApiSettings(max_depth=DEPTH)
FINE = st.text().filter(lambda text: not CONTROL_CHARACTERS.search(text))
LEAVES = st.none() | st.booleans() | FINE | st.integers(-(2**53), 2**53)
LEAVES |= st.floats(allow_nan=False, allow_infinity=False)


def nested(depth):
    return '{"a":' * depth + "1" + "}" * depth


@given(st.dictionaries(FINE, LEAVES | st.lists(LEAVES)))
def test_an_object_comes_back_as_it_was(tree):
    assert parse_body(json.dumps(tree).encode(), LIMITS) == tree


@given(st.binary())
def test_whatever_comes_is_read_or_refused(body):
    with suppress(HttpProblem):
        assert isinstance(parse_body(body, LIMITS), dict)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "expected JSON"),
        (b"{", "line 1, column 2"),
        (b"[1]", "got a list"),
        (b"null", "got null"),
        (b'{"a": NaN}', "got NaN"),
        (b'{"a": -Infinity}', "got -Infinity"),
        (b'{"a": 1e999}', "numbers that a double holds"),
        (b'{"a": 9007199254740993}', "whole numbers up to 2^53"),
        (b'{"a": ' + b"9" * 5000 + b"}", "whole numbers up to 2^53"),
        (b'{"a": 1, "a": 2}', "got one twice"),
        (b'{"a" :1, "a":2, "b": ":"}', "got one twice"),
        (b'{"b": [{"a":1, "\\u0061":2}]}', "got one twice"),
        (b'{"a": "\\u0000"}', "control characters"),
        (b'{"a\\u0007": 1}', "control characters"),
        (b'{"a": "\\ud800"}', "control characters"),
        (b'{"a": [{"b": "\\b"}]}', "control characters"),
        (b'{"a": "\\u007F"}', "control characters"),
        ('{"a": "\x85"}'.encode(), "control characters"),
        (b'{"a": "\xff"}', "UTF-8"),
        (nested(DEPTH + 1).encode(), f"at most {DEPTH} deep"),
        (nested(500_000).encode(), f"at most {DEPTH} deep"),
        (b"[" * 500_000, f"at most {DEPTH} deep"),
    ],
)
def test_what_tables_cannot_hold_is_refused(body, says):
    with pytest.raises(HttpProblem) as refused:
        parse_body(body, LIMITS)
    assert refused.value.status == 422
    assert says in refused.value.detail


KEYS = st.sampled_from(["a", "b", ":", '"', '\\":', "{", "名"])
BLANKS = st.sampled_from(["", " ", "\n", "\t "])


def written(value, blank):
    """JSON of a tree whose objects are lists of pairs."""
    if not isinstance(value, list):
        return json.dumps(value)
    pairs = (f"{json.dumps(key)}{blank}:{written(inner, blank)}" for key, inner in value)
    return "{" + ",".join(pairs) + "}"


def has_a_key_twice(value):
    if not isinstance(value, list):
        return False
    keys = {key for key, _inner in value}
    return len(keys) < len(value) or any(has_a_key_twice(inner) for _key, inner in value)


TREES = st.recursive(
    st.lists(st.tuples(KEYS, KEYS), max_size=3),
    lambda inner: st.lists(st.tuples(KEYS, KEYS | inner), max_size=4),
    max_leaves=5,
)


@given(TREES, BLANKS)
def test_a_key_that_an_object_has_twice_is_found_however_it_is_written(tree, blank):
    twice = has_a_key_twice(tree)
    with pytest.raises(HttpProblem, match="got one twice") if twice else nullcontext():
        parse_body(written(tree, blank).encode(), ApiSettings(max_depth=100))


def test_the_depth_that_is_allowed_is_read():
    assert parse_body(nested(DEPTH).encode(), LIMITS)


def test_tabs_and_new_lines_are_text():
    assert parse_body(b'{"a": "1\\t2\\r\\n3"}', LIMITS) == {"a": "1\t2\r\n3"}


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b",".join([b"1"] * 1001) + b"]",
        b'{"members":[' + b",".join([b"{}"] * 501) + b"]}",
        b"[" + b",".join([b"[" * 300 + b"]" * 300] * 4) + b"]",
    ],
)
def test_more_values_than_the_limit_are_refused_before_they_are_made(body, monkeypatch):
    monkeypatch.setattr("mqbg.serve.api.body_parsing.json.loads", None)
    with pytest.raises(HttpProblem, match="max_values"):
        parse_body(body, ApiSettings(max_values=1000))


def test_an_object_of_more_keys_than_any_table_has_is_refused():
    body = json.dumps({f"k{number}": 1 for number in range(201)}).encode()
    with pytest.raises(HttpProblem, match="at most 200 keys"):
        parse_body(body, LIMITS)


def test_an_object_of_too_many_keys_is_refused_without_reading_it_again(monkeypatch):
    monkeypatch.setattr(body_parsing, "_parse_object", lambda _pairs: pytest.fail("read again"))
    body = {"account": {str(number): 1 for number in range(MAX_KEYS + 1)}}
    with pytest.raises(HttpProblem, match=f"at most {MAX_KEYS} keys, got one of {MAX_KEYS + 1}"):
        parse_body(json.dumps(body).encode(), ApiSettings())
