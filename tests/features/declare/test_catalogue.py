"""What is declared: names, words, units; whatever roles and kinds the data has."""

from __future__ import annotations

import re
from datetime import datetime
from typing import get_args

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.features import feature_table
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.feature import Theme
from mqbg.features.declare.template import Template, TemplateRole, reserved_parts, slugs
from mqbg.features.declare.vocabulary import MAX_FAMILIES, Vocabulary, find_vocabulary
from mqbg.settings import FeatureSettings, RoleRequirement, Settings

AS_OF = datetime(2024, 6, 1)
ROLES = ("Economic Buyer", "決裁者", "economic-buyer", "購買部 課長", 'sponsor "x", [y]: {z}', "21")
FAMILIES = ("web", "Web", "page: view", "資料 請求", 'a"b,c', "[x]")


def words_for(roles=ROLES, families=FAMILIES):
    parts = slugs(roles, reserved_parts(FeatureSettings()))
    template = Template(tuple(TemplateRole(r, parts[r], RoleRequirement(), {}) for r in roles))
    return build_catalogue(Vocabulary(template, families))


@pytest.fixture(scope="module")
def words():
    """A catalogue of odd roles and families."""
    return words_for()


def test_every_feature_has_words_in_both_languages_a_unit_and_a_theme(words):
    for feature in words.features:
        assert feature.english.strip(), feature.name
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", feature.japanese), feature.name
        assert feature.unit, feature.name
        assert feature.theme in get_args(Theme), feature.name


def test_some_forty_features_are_there_without_any_role_or_kind():
    assert len(words_for((), ()).features) >= 40


def test_equal_vocabularies_and_names_have_one_catalogue():
    assert words_for() is words_for()
    assert words_for() is not words_for(ROLES[:2])
    vocabulary = words_for().vocabulary
    named = build_catalogue(vocabulary, ["members", "inbound_30d"])
    assert build_catalogue(vocabulary, ("inbound_30d", "members", "members")) is named
    assert named.feature_names != words_for().feature_names


def test_every_theme_has_a_feature(words):
    assert {feature.theme for feature in words.features} == set(get_args(Theme))


@pytest.fixture(scope="module")
def whole(open_tables, random_tables):
    """A random world, its vocabulary, and all its features."""
    source = open_tables(random_tables(5, AS_OF))
    vocabulary = find_vocabulary(source, AS_OF)
    return source, vocabulary, feature_table(source, build_catalogue(vocabulary), [AS_OF])


def test_named_features_are_those_of_the_whole_catalogue_to_the_bit(whole, bits):
    source, vocabulary, everything = whole
    names = everything.column_names[2::3]
    named = feature_table(source, build_catalogue(vocabulary, names), [AS_OF])
    assert named.column_names == ["group_id", "as_of", *names]
    expected = everything.select(named.column_names).to_pylist()
    assert [bits(row) for row in named.to_pylist()] == [bits(row) for row in expected]


def endings(words):
    """Parts of names behind the beginnings that columns of roles have."""
    starts = (
        "members_", "engaged_", "engagement_", "strongest_", "days_since_", "longest_", "newest_",
        "rule_",
    )  # fmt: skip
    return {
        name.removeprefix(start) for name in words for start in starts if name.startswith(start)
    }


def test_a_role_named_like_any_other_column_gets_a_column_of_its_own():
    plain = words_for((), FAMILIES)
    declared = [*plain.feature_names, *(term.name for term in plain.terms)]
    assert_distinct(words_for(tuple(sorted(endings(declared))), FAMILIES))


def assert_distinct(words):
    for names in (
        words.feature_names,
        [t.name for t in words.terms],
        [s.name for s in words.signals],
    ):
        folded = [name.lower() for name in names]  # DuckDB takes Web and web for one column
        assert len(set(folded)) == len(folded)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    roles=st.lists(st.text(min_size=1, max_size=12), max_size=6, unique=True),
    families=st.lists(st.text(min_size=1, max_size=12), max_size=6, unique=True),
)
def test_names_are_distinct_and_hold_word_characters_alone(roles, families):
    words = words_for(tuple(roles), tuple(families))
    assert_distinct(words)
    assert not [name for name in words.feature_names if re.search(r'[\s",:\[\]{}]', name)]


def test_lightgbm_takes_the_names_as_they_are(words):
    x = np.random.default_rng(1).normal(size=(50, len(words.feature_names)))
    data = lgb.Dataset(x, x[:, 0] > 0, feature_name=list(words.feature_names))
    booster = lgb.train({"verbosity": -1, "objective": "binary", "num_threads": 1}, data, 1)
    assert booster.feature_name() == list(words.feature_names)
    reloaded = lgb.Booster(model_str=booster.model_to_string())
    assert reloaded.feature_name() == list(words.feature_names)


def test_odd_names_of_roles_and_kinds_make_columns_that_count(features_at, words):
    tables = {
        "members": [
            {"group_id": "g1", "contact_id": f"c{n}", "role": role} for n, role in enumerate(ROLES)
        ],
        "activities": [
            {"contact_id": f"c{n}", "kind": kind, "occurred_at": datetime(2024, 5, 31)}
            for n, kind in enumerate(FAMILIES)
        ],
    }
    wanted = [
        feature.name
        for feature in words.features
        if feature.name.startswith("members_") or re.fullmatch(r"kind_.*_7d", feature.name)
    ]
    wanted += ["completeness", "engaged_completeness"]
    row = features_at(tables, AS_OF, Settings(kinds={}), names=wanted)["g1"]
    of_roles = {name: v for name, v in row.items() if name.startswith("members_")}
    del of_roles["members_left_90d"], of_roles["members_joined_90d"]
    assert len(of_roles) == len(ROLES)
    assert set(of_roles.values()) == {1.0}
    recent = [value for name, value in row.items() if re.fullmatch(r"kind_.*_7d", name)]
    assert recent == [1.0] * len(FAMILIES)
    assert row["completeness"] == row["engaged_completeness"] == 1


def test_categories_are_text_and_all_else_is_numbers(whole):
    _source, vocabulary, everything = whole
    known = build_catalogue(vocabulary)
    for name in known.feature_names:
        expected = "string" if name in known.categorical_features else "double"
        assert str(everything.schema.field(name).type) == expected


def test_only_the_most_frequent_families_get_a_column(open_tables):
    kinds = [f"kind {number:02}" for number in range(MAX_FAMILIES + 3)]
    rare = kinds[:3]
    rows = [
        {"contact_id": "c1", "kind": kind, "occurred_at": datetime(2024, 5, 1)}
        for kind in (*kinds, *kinds[3:])
    ]
    found = find_vocabulary(
        open_tables({"members": [{"group_id": "g1", "contact_id": "c1"}], "activities": rows}),
        AS_OF,
    ).families
    assert set(found) == set(kinds) - set(rare)
