from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
from mqbg.explain.language import load_language
from mqbg.explain.reasons import (
    TOP_REASONS,
    Reason,
    features_by_name,
    reason_sentences,
    reasons_of_row,
    strongest_reasons,
)
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.model.bundle import Bundle, TrainingSummary
from mqbg.model.calibrators import Blend, Platt, VennAbers
from mqbg.model.feature_matrix import feature_matrix
from mqbg.model.thresholds import Thresholds
from mqbg.settings import ModelSettings, RoleRequirement, Settings

SEED = 8
ROWS = 60
MINUS = "\N{MINUS SIGN}"
VOCABULARY = Vocabulary(Template((TemplateRole("user", "user", RoleRequirement(), {}),)), ("web",))
FEATURES = build_catalogue(VOCABULARY).features
NAMES = [feature.name for feature in FEATURES]
VALUES = dict.fromkeys(build_catalogue(VOCABULARY).categorical_features, ("P", "Q"))


def column(feature, draw):
    if feature.categorical:
        return pa.array(draw.choice(["P", "Q", None], ROWS).tolist(), pa.string())
    values = draw.normal(3.0, 5.0, ROWS).tolist()
    return pa.array([v if draw.random() < 0.9 else None for v in values], pa.float64())


@pytest.fixture(scope="module")
def table():
    draw = np.random.default_rng(SEED)
    return pa.table({feature.name: column(feature, draw) for feature in FEATURES})


@pytest.fixture(scope="module")
def bundle(table):
    """Trees that learned noise: every feature matters somewhere."""
    noise = np.random.default_rng(SEED).random(ROWS) < 0.5
    data = lgb.Dataset(
        feature_matrix(table, NAMES, VALUES),
        noise,
        feature_name=NAMES,
        categorical_feature=[NAMES.index(name) for name in VALUES],
    )
    how = {"objective": "binary", "min_data_in_leaf": 5, "verbosity": -1, "num_threads": 1}
    trees = lgb.train({**how, "feature_fraction": 0.2, "seed": SEED}, data, 60).model_to_string()
    at = datetime(2024, 1, 1)
    return Bundle(
        trees, Blend(1.0, 100, 0.0, 0.0, 0.0, 0.0), Settings(model=ModelSettings(threads=1)),
        VOCABULARY, VALUES, Platt(1.0, 0.0),
        VennAbers((0.0,), (0.1,), (0.2,)), Thresholds("capacity", 0.5, 0.5), (),
        TrainingSummary("", ROWS, 30, at, at, at, 0),
    )  # fmt: skip


@pytest.fixture(scope="module")
def parts(bundle, table):
    """TreeSHAP of each row: one part per feature, and the average last."""
    return bundle.booster.predict(bundle.feature_matrix(table), pred_contrib=True)


def top_reasons(bundle, table, language):
    """The strongest reasons of each row in words."""
    features = features_by_name(bundle)
    return [reason_sentences(one, features, language) for one in strongest_reasons(bundle, table)]


def by_theme(parts_of_row):
    """The parts of a row, added up by theme in plain Python."""
    sums = {}
    for feature, part in zip(FEATURES, parts_of_row, strict=False):
        sums[feature.theme] = sums.get(feature.theme, 0.0) + part
    return sums


def described(feature, language):
    text = feature.japanese if language == "ja" else feature.english
    named = load_language(language).word(*feature.subject) if feature.subject else ""
    return text.replace("{subject}", named)


def shown(value, unit):
    """A value as a sentence has it, in plain Python; both languages write numbers alike."""
    if isinstance(value, str):
        return value
    if unit == "share":
        text = f"{100 * value:,.{0 if abs(value) >= 0.1 else 1}f}%"
    else:
        text = f"{value:,.{2 if abs(value) < 10 else 1}f}".rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


UNSPEAKABLE = ("points", "points per member", "points of 100", "nats", "month")


def test_themes_and_the_average_sum_to_the_log_odds(bundle, table, parts):
    sums = [sum(by_theme(row).values()) + row[-1] for row in parts]
    np.testing.assert_allclose(sums, bundle.log_odds(table), atol=1e-9)


def expected_reasons(parts_of_row, values):
    """(theme, feature, whether it raises) in plain Python: no rule, identity or unknown value."""
    sums, found = by_theme(parts_of_row), []
    for theme in sorted(sums, key=lambda theme: -abs(sums[theme])):
        pulls = {
            feature.name: part * (1 if sums[theme] > 0 else -1)
            for feature, part in zip(FEATURES, parts_of_row, strict=False)
            if feature.theme == theme != "rule scores"
            and feature.name not in ("account", "solution")
            and feature.unit not in UNSPEAKABLE
            and values[feature.name] is not None
        }
        if pulls and max(pulls.values()) > 0:
            found.append((theme, max(pulls, key=pulls.__getitem__), sums[theme] > 0))
    return found[:TOP_REASONS]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_reasons_are_the_strongest_themes_each_with_the_feature_that_pulls_its_way(
    bundle, table, parts, language
):
    chosen, rows = load_language(language), table.to_pylist()
    ways = {
        "en": {False: "Lowers the score: ", True: "Raises the score: "},
        "ja": {False: "が、見込みを低めています。", True: "が、見込みを高めています。"},
    }[language]
    for sentences, row, values in zip(top_reasons(bundle, table, chosen), parts, rows, strict=True):
        expected = expected_reasons(row, values)
        assert len(sentences) == len(expected)
        for sentence, (_theme, name, raises) in zip(sentences, expected, strict=True):
            feature = FEATURES[NAMES.index(name)]
            assert ways[raises] in sentence
            assert described(feature, language) in sentence
            if feature.unit != "log of a ratio":
                assert shown(values[name], feature.unit) in sentence


def decided_by(name, bundle, table):
    """Trees that look at one feature: the more of it, the better."""
    matrix = bundle.feature_matrix(table)
    values = np.nan_to_num(matrix[:, NAMES.index(name)], nan=-1.0)
    data = lgb.Dataset(matrix, values > np.median(values), feature_name=NAMES)
    how = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    return replace(bundle, trees=lgb.train(how, data, 5).model_to_string())


@pytest.mark.parametrize("name", ["rule_engagement", "account", "solution"])
def test_a_rule_score_and_an_identity_are_no_reasons_even_where_they_decide_all(
    bundle, table, name
):
    matrix, decided = bundle.feature_matrix(table), decided_by(name, bundle, table)
    theme = FEATURES[NAMES.index(name)].theme
    parts = decided.booster.predict(matrix, pred_contrib=True)
    assert any(max(sums, key=lambda t: abs(sums[t])) == theme for sums in map(by_theme, parts))
    told = described(FEATURES[NAMES.index(name)], "en")
    for sentences in top_reasons(decided, table, load_language("en")):
        assert not any(told in sentence for sentence in sentences)


def told(name, value, *, up=True, language="en"):
    reason = Reason(FEATURES[NAMES.index(name)].theme, name, value, up)
    assert Reason.from_json(reason.to_json()) == reason
    features = dict(zip(NAMES, FEATURES, strict=True))
    (sentence,) = reason_sentences([reason], features, load_language(language))
    return sentence


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("inbound_7d", 12, "Raises the score: 12 activities in the last 7 days."),
        ("inbound_7d", 1, "Raises the score: 1 activity in the last 7 days."),
        ("active_members_14d", 0, "Raises the score: no members active in 14 days."),
        ("high_intent_30d", 1, "Raises the score: 1 high-intent activity in the last 30 days."),
        ("completeness", 0.75, "Raises the score: share of roles filled (75%)."),
        (
            "contact_history_any_mean",
            0.4,
            (
                "Raises the score: how often the members' other groups went on, on average (more "
                "often than usual)."
            ),
        ),
    ],
)
def test_a_reason_says_what_was_counted(name, value, sentence):
    assert told(name, value) == sentence


def test_a_japanese_reason_names_the_feature_with_its_counter():
    said = told("inbound_7d", 12, up=False, language="ja")
    assert said == "直近7日間の活動件数（12件）が、見込みを低めています。"


def test_a_reason_of_a_feature_that_the_model_does_not_have_is_left_out():
    gone = Reason("engagement", "gone", 1.0, up=True)
    assert reason_sentences([gone], {}, load_language("en")) == []


def test_nothing_in_favour_speaks_of_a_role_that_is_missing(bundle, table):
    decided = decided_by("members_user", bundle, table)
    free = strongest_reasons(decided, table)
    bound = strongest_reasons(decided, table, [("user",)] * ROWS)

    def of_the_role(reasons):
        found = [one for row in reasons for one in row if one.up and one.feature.endswith("_user")]
        return len(found)

    assert of_the_role(free) > 0
    assert of_the_role(bound) == 0


def test_a_row_has_the_same_reasons_alone_and_among_others(bundle, table):
    together = top_reasons(bundle, table, load_language("en"))
    assert [
        top_reasons(bundle, table.slice(row, 1), load_language("en"))[0] for row in range(ROWS)
    ] == together


def test_the_languages_differ_in_every_sentence(bundle, table):
    english = top_reasons(bundle, table, load_language("en"))
    japanese = top_reasons(bundle, table, load_language("ja"))
    for one, other in zip(english, japanese, strict=True):
        assert not set(one) & set(other)


def test_no_rows_have_no_reasons(bundle, table):
    assert top_reasons(bundle, table.slice(0, 0), load_language("en")) == []


def test_trees_that_tell_nothing_apart_give_no_reasons(bundle, table):
    data = lgb.Dataset(bundle.feature_matrix(table), np.arange(ROWS) % 2, feature_name=NAMES)
    how = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": ROWS}
    stump = replace(bundle, trees=lgb.train(how, data, 2).model_to_string())
    assert top_reasons(stump, table, load_language("en")) == [[]] * ROWS


# All reasons of one row


def test_all_themes_of_a_row_and_the_average_sum_to_its_log_odds(bundle, table, parts):
    for row in range(5):
        frame = reasons_of_row(bundle, table.slice(row, 1))
        own = frame[frame["feature"].isna()]
        assert set(own["theme"]) == {feature.theme for feature in FEATURES}
        total = own["contribution"].sum() + parts[row][-1]
        assert total == pytest.approx(bundle.log_odds(table.slice(row, 1))[0], abs=1e-9)


def test_a_theme_is_followed_by_its_strongest_features_up_and_down(bundle, table, parts):
    frame = reasons_of_row(bundle, table.slice(0, 1), strongest=2)
    amounts = {
        feature.name: part for feature, part in zip(FEATURES, parts[0], strict=False) if part
    }
    expected = []
    sums = by_theme(parts[0])
    for theme in sorted(sums, key=lambda theme: -abs(sums[theme])):
        own = [f.name for f in FEATURES if f.theme == theme and f.name in amounts]
        own.sort(key=lambda name: -amounts[name])
        up = [name for name in own if amounts[name] > 0][:2]
        down = [name for name in own if amounts[name] < 0][-2:]
        expected += [(theme, None), *((theme, name) for name in (*up, *down))]
    assert list(zip(frame["theme"], frame["feature"], strict=True)) == expected


def test_features_stand_with_their_parts_and_values(bundle, table, parts):
    frame = reasons_of_row(bundle, table.slice(3, 1))
    values = table.slice(3, 1).to_pylist()[0]
    named = frame[frame["feature"].notna()]
    assert len(named) > 10
    for feature, part, value in named[["feature", "contribution", "value"]].itertuples(index=False):
        assert part == pytest.approx(parts[3][NAMES.index(feature)], abs=1e-9)
        assert value == values[feature]
    assert frame[frame["feature"].isna()]["value"].isna().all()


@pytest.mark.parametrize("rows", [0, 2])
def test_reasons_are_of_one_row(bundle, table, rows):
    with pytest.raises(ValueError, match=f"one row, got {rows} rows"):
        reasons_of_row(bundle, table.slice(0, rows))
