"""What is wrong with settings is said in one sentence that names the key, wherever it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest
from drawn_settings import bounds, sections
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mqbg.contract import BadInput
from mqbg.settings import (
    RoleRequirement,
    Settings,
    SolutionSettings,
    settings_from_values,
    settings_values,
)

EVERY_TABLE = Settings(
    roles={"buyer": RoleRequirement()},
    solutions={"S1": SolutionSettings({"buyer": RoleRequirement()})},
)


def tables(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Every table of fixed keys, with the keys that it may have."""
    if is_dataclass(value):
        yield path, {field.name for field in fields(value)}
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from tables(inner, (*path, key))


def leaves(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every single setting."""
    for key, value in tree.items():
        yield from leaves(value, (*path, key)) if isinstance(value, Mapping) else [(*path, key)]


def just_outside(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """The path of every number that has bounds, with a value beyond each of them."""
    hints = get_type_hints(type(value), include_extras=True)
    for field in fields(value):
        inner, place = getattr(value, field.name), (*path, field.name)
        if is_dataclass(inner):
            yield from just_outside(inner, place)
        for kind in (hints[field.name], *get_args(hints[field.name])):
            for side, limit in bounds(get_args(kind)[1:]).items():
                yield place, limit + {"ge": -1, "gt": 0, "le": 1, "lt": 0}[side]


OUTSIDE = list(just_outside(EVERY_TABLE))


def shown(path: Sequence[str]) -> str:
    """A table as messages name it: the field of `[import]` cannot have its name in Python."""
    return ".".join(
        "import" if not place and key == "imports" else key for place, key in enumerate(path)
    )


def put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy of the tree with one value replaced."""
    key, *rest = path
    return {**tree, key: put(tree[key], tuple(rest), value) if rest else value}


def refusal(tree: Any) -> str:
    with pytest.raises(BadInput) as caught:
        settings_from_values(tree, "mqbg.toml")
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith("mqbg.toml: ")
    return sentence.removeprefix("mqbg.toml: ")


@hypothesis_settings(max_examples=100, deadline=None, derandomize=True)
@given(settings=sections(Settings), key=st.text(max_size=12), data=st.data())
def test_an_unknown_key_anywhere_is_refused_with_a_known_one_beside_it(settings, key, data):
    path, known = data.draw(st.sampled_from(list(tables(settings))))
    key = key if key not in known else f"{key}_"
    sentence = refusal(put(settings_values(settings), (*path, key), 1))
    place = f" in [{shown(path)}]" if path else ""
    near = sentence.removeprefix(f"unknown key {key!r}{place}; the nearest known one is ")
    assert near in map(repr, known)


def test_every_setting_refuses_a_value_of_another_type():
    values = settings_values(EVERY_TABLE)
    for path in leaves(values):
        begins = re.escape(f"[{shown(path[:-1])}] {path[-1]} expected ") + "(a|text|true|one)"
        for value in ({}, [[]]):
            sentence = refusal(put(values, path, value))
            assert re.match(begins, sentence), (path, value, sentence)


def test_a_number_just_outside_any_bound_is_refused_by_what_it_must_be():
    values = settings_values(EVERY_TABLE)
    for path, value in OUTSIDE:
        sentence = refusal(put(values, path, value))
        begins = f"[{shown(path[:-1])}] {path[-1]} must "
        assert sentence.startswith(begins), (path, value, sentence)


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({"api": {"max_depth": 101}}, "[api] max_depth must be 1 to 100"),
        ({"model": {"expected_rate": 0}}, "[model] expected_rate must be over 0 and under 1"),
        ({"model": {"expected_rate": 1}}, "[model] expected_rate must be over 0 and under 1"),
        (
            {"thresholds": {"confidence": 1}},
            "[thresholds] confidence must be 0.5 or more and under 1",
        ),
        ({"probe": {"kind_share": 0}}, "[probe] kind_share must be over 0, up to 1"),
        ({"explain": {"max_sets": 1}}, "[explain] max_sets must be at least 2"),
        ({"model": {"tuning_minutes": 0}}, "[model] tuning_minutes must be over 0"),
        ({"model": {"seed": -1}}, "[model] seed must not be negative"),
    ],
)
def test_bounds_are_said_in_words(tree, sentence):
    assert refusal(tree) == sentence


@pytest.mark.parametrize("value", [10**400, float("inf"), -float("inf"), float("nan"), True, "1"])
def test_a_number_is_finite_and_no_truth_and_no_text(value):
    sentence = refusal({"explain": {"standard_error": value}})
    assert sentence == f"[explain] standard_error expected a number, got {value!r}"


@pytest.mark.parametrize("text", ["1989-12-31", "2200-01-02", "9999-12-31T23:59-01:00", ""])
def test_a_time_that_cannot_be_meant_is_refused(text):
    sentence = refusal({"observation": {"until": text}})
    assert sentence == f"[observation] until expected a date such as 2024-02-01, got {text!r}"


def test_of_several_faults_an_unknown_key_is_said_first():
    tree = {"target": {"horizon_days": 0, "stages": "x"}}
    assert refusal(tree).startswith("unknown key 'stages' in [target]")


@pytest.mark.parametrize("tree", [{2: 3}, {"roles": {2: {}}}, {"target": {2: 3}}])
def test_a_key_that_is_no_text_is_refused(tree):
    sentence = refusal(tree)
    assert "2" in sentence
    assert "Keys should be strings" in sentence or "expected text, got 2" in sentence
