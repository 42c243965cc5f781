from __future__ import annotations

import tomllib
from datetime import datetime
from importlib.resources import files

import pytest
from jinja2 import UndefinedError, meta
from jinja2.sandbox import SandboxedEnvironment
from mqbg.contract import BadInput
from mqbg.explain.words import date_of, languages, signed, words
from mqbg.features.catalogue import catalogue
from mqbg.features.template import Template
from mqbg.features.vocabulary import Vocabulary

LANGUAGES = ("en", "ja")
SENTENCES = sorted(words("en").sentences)


def tree(language):
    text = (files("mqbg.explain") / "languages" / f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def wanted(sentence, language):
    """Names of the values that a sentence speaks of."""
    parsed = SandboxedEnvironment().parse(words(language).sentences[sentence])
    return meta.find_undeclared_variables(parsed)


def test_there_are_english_and_japanese():
    assert languages() == LANGUAGES


@pytest.mark.parametrize("table", ["sentences", "labels", "status", "populations"])
def test_both_languages_have_the_same_keys(table):
    assert sorted(tree("en")[table]) == sorted(tree("ja")[table])


def test_both_languages_have_the_same_tables():
    assert sorted(tree("en")) == sorted(tree("ja"))


@pytest.mark.parametrize("table", ["roles", "kinds", "themes", "methods", "units"])
def test_japanese_has_a_word_wherever_english_has_one(table):
    assert set(tree("en")[table]) <= set(tree("ja")[table])


def test_japanese_has_a_word_for_every_theme_and_unit_of_the_catalogue():
    features = catalogue(Vocabulary(Template(()), ("web",))).features
    assert {feature.theme for feature in features} <= set(tree("ja")["themes"])
    assert {feature.unit for feature in features} <= set(tree("ja")["units"])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_says_every_value_it_is_given(sentence, language):
    values = {name: f"<{name} 値>" for name in wanted(sentence, "en")}
    said = words(language).say(sentence, **values)
    assert all(value in said for value in values.values())
    assert "{" not in said


@pytest.mark.parametrize("sentence", SENTENCES)
def test_both_languages_speak_of_the_same_values(sentence):
    assert wanted(sentence, "en") == wanted(sentence, "ja")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sentence", [s for s in SENTENCES if wanted(s, "en")])
def test_a_sentence_without_its_values_is_refused(sentence, language):
    with pytest.raises(UndefinedError):
        words(language).say(sentence)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unknown_title_leaves_no_trace(language):
    values = {"name": "N", "role": "r", "points": "+1.0"}
    said = words(language).say("silent", **values, title=None)
    assert "None" not in said
    assert said == words(language).say("silent", **values, title="")


@pytest.mark.parametrize("language", ["fr", "", "EN", "../languages/en", "en.toml"])
def test_an_unknown_language_is_refused_with_the_known_ones(language):
    with pytest.raises(BadInput, match=r"language: expected one of en, ja, got") as refusal:
        words(language)
    assert repr(language) in str(refusal.value)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "name", ["山田 太郎", "Zoë O'Brien", "محمد", "Σοφία", "김민수", "<b>&", "{{ role }}", "😀"]
)
def test_a_name_in_any_script_is_said_as_it_is(name, language):
    chosen = words(language)
    assert chosen.name(name, "c1") == name
    assert name in chosen.say("leaves", points=name)


@pytest.mark.parametrize("missing", [None, ""])
@pytest.mark.parametrize(("language", "said"), [("en", "contact {c}1"), ("ja", "連絡先 {c}1")])
def test_a_contact_without_a_name_is_called_by_its_id(language, missing, said):
    assert words(language).name(missing, "{c}1") == said


def test_a_word_that_is_not_in_the_table_stands_for_itself():
    assert words("ja").word("roles", "champion") == "推進者"
    assert words("ja").word("roles", "経営企画") == "経営企画"


@pytest.mark.parametrize(
    ("language", "kinds", "said"),
    [
        ("en", [], ""),
        ("en", ["web_visit"], "web visit"),
        ("en", ["web_visit", "fax"], "web visit, fax"),
        ("ja", ["web_visit", "fax"], "ウェブ閲覧、fax"),
    ],
)
def test_kinds_are_listed_in_words(language, kinds, said):
    assert words(language).kinds(kinds) == said


def test_roles_are_listed_in_words():
    assert words("en").roles(["decision_maker", "user"]) == "decision maker, user"


@pytest.mark.parametrize(
    ("points", "text"),
    [
        (3.21, "+3.2"),
        (-0.44, "\N{MINUS SIGN}0.4"),
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (0.049, "0.0"),
        (-0.049, "0.0"),
        (100.0, "+100.0"),
    ],
)
def test_points_have_a_sign_unless_they_round_to_zero(points, text):
    assert signed(points) == text


def test_a_date_is_written_the_international_way():
    assert date_of(datetime(2024, 5, 3, 23, 59)) == "2024-05-03"
