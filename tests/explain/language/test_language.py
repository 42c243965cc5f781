from __future__ import annotations

import tomllib
from datetime import datetime
from importlib.resources import files

import pytest
from jinja2 import UndefinedError, meta
from jinja2.sandbox import SandboxedEnvironment, SecurityError
from mqbg.contract import BadInput
from mqbg.explain.language import languages, load_language
from mqbg.explain.language.formats import MINUS
from mqbg.explain.language.language_files import FIXED_KEY_TABLES, OPEN_KEY_TABLES, read_language
from mqbg.explain.language.names import MAX_NAME_LENGTH, display_name
from mqbg.explain.language.placeholders import SAMPLES, SENTENCES, sample_values
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.template import Template, TemplateRole
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.settings import RoleRequirement

LANGUAGES = ("en", "ja")
FEATURES = build_catalogue(
    Vocabulary(Template((TemplateRole("user", "user", RoleRequirement(), {}),)), ("web",))
).features
ISOLATE, POP = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


def shipped(language):
    text = (files("mqbg.explain.language") / f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def quoted(text):
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    return '"' + "".join(escapes.get(character, character) for character in text) + '"'


def toml(tree):
    """Tables of texts as TOML, keys quoted."""
    lines = []
    for name, table in tree.items():
        if name == "plurals":
            for noun, forms in table.items():
                lines += [f"[plurals.{noun}]", *(f"{k} = {quoted(v)}" for k, v in forms.items())]
        else:
            lines += [f"[{name}]", *(f"{quoted(k)} = {quoted(v)}" for k, v in table.items())]
    return "\n".join(lines)


@pytest.fixture
def written(tmp_path):
    """`written(code, tree or text)`: a language file in a folder of the user, which it returns."""

    def write(code, content):
        text = content if isinstance(content, str) else toml(content)
        (tmp_path / f"{code}.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def refusal(language, folder):
    with pytest.raises(BadInput) as caught:
        read_language(language, folder)
    said = str(caught.value)
    assert "\n" not in said
    return said


def german():
    """English, with the plurals of German."""
    tree = shipped("en")
    tree["sentences"] |= {
        "base": "Das Konto ohne Gruppe",
        "member_silent": "Noch keine Aktivität.",
        "group_step": "Nächster Schritt: {{ step }}",
    }
    tree["plurals"]["activity"] = {"one": "{n} Aktivität", "other": "{n} Aktivitäten"}
    tree["features"] = {
        "activities in the last 7 days": "Aktivitäten in den letzten 7 Tagen",
        "members in the role {subject}": "Mitglieder in der Rolle {subject}",
    }
    return tree


# The shipped languages


def test_there_are_english_and_japanese():
    assert languages() == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_declared_with_its_placeholders_and_the_other_way_round(language):
    sentences = shipped(language)["sentences"]
    assert set(sentences) == set(SENTENCES)
    environment = SandboxedEnvironment()
    environment.filters |= load_language(language).formats.filters
    for name, text in sentences.items():
        assert meta.find_undeclared_variables(environment.parse(text)) <= set(SENTENCES[name])


def test_every_placeholder_is_declared_and_used_somewhere():
    assert {name for names in SENTENCES.values() for name in names} == set(SAMPLES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_can_be_said_with_every_sample(language):
    for sentence in sorted(SENTENCES):
        for values in sample_values(sentence):
            said = load_language(language).render(sentence, **values)
            assert said, (sentence, values)
            odd = [odd for odd in ("{", "None", "nan", "\n", "  ") if odd in said]
            assert not odd, (sentence, values, said)


@pytest.mark.parametrize("table", ["labels", "status", "populations", "plurals"])
def test_both_languages_have_the_same_keys(table):
    assert sorted(shipped("en")[table]) == sorted(shipped("ja")[table])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_shipped_language_passes_every_check_of_a_user_s_file(language, written):
    tree = shipped(language)
    assert set(FIXED_KEY_TABLES) <= set(tree) <= {*FIXED_KEY_TABLES, *OPEN_KEY_TABLES}
    loaded = read_language(language, written(language, tree))
    assert loaded == load_language(language)


@pytest.mark.parametrize("table", ["roles", "kinds", "themes", "methods", "units"])
def test_japanese_has_a_word_wherever_english_has_one(table):
    assert set(shipped("en")[table]) <= set(shipped("ja")[table])


def test_japanese_has_a_word_for_every_theme_and_unit_of_the_catalogue():
    assert {feature.theme for feature in FEATURES} <= set(shipped("ja")["themes"])
    assert {feature.unit for feature in FEATURES} <= set(shipped("ja")["units"])


def test_japanese_sentences_are_polite_and_full_width():
    for name, text in shipped("ja")["sentences"].items():
        template_free = "".join(part.split("}")[-1] for part in text.split("{"))
        assert not any(mark in template_free for mark in (",", "!", "?", ":", ";")), name
        ends = template_free.rstrip("。")
        if template_free.endswith("。"):
            assert ends.endswith(("です", "ます", "ません", "）")), name
    assert "されました" not in "".join(shipped("ja")["sentences"].values())


# Numbers, dates, lists, plurals


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("points", "text"),
    [
        (3.21, "+3.2"),
        (-0.44, f"{MINUS}0.4"),
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (0.049, "0.0"),
        (-0.049, "0.0"),
        (100.0, "+100.0"),
        (-1234.56, f"{MINUS}1,234.6"),
        (0.25, "+0.2"),  # as Python rounds: half to even
    ],
)
def test_points_have_a_sign_unless_they_round_to_zero(points, text, language):
    assert load_language(language).formats.signed(points) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_written_the_same_in_english_and_japanese(language):
    formats = load_language(language).formats
    assert formats.decimal(-0.04) == "0.0"
    assert formats.decimal(-1.25, 2) == f"{MINUS}1.25"
    assert formats.whole(1_234_567) == "1,234,567"
    assert [formats.compact(value) for value in (12.0, 0.25, 1234.5678, -0.0001, 7)] == [
        "12", "0.25", "1,234.6", "0", "7",
    ]  # fmt: skip
    assert formats.percent(0.12345) == "12.3%"
    assert formats.percent(1.0, 0) == "100%"
    assert formats.percent(-0.5, 0) == f"{MINUS}50%"


def test_dates_are_those_of_the_language():
    instant = datetime(2024, 5, 31, 23, 59)
    assert load_language("en").formats.day(instant) == "May 31, 2024"
    assert load_language("ja").formats.day(instant) == "2024年5月31日"
    assert load_language("ja").formats.short_day(instant) == "2024/05/31"


@pytest.mark.parametrize(
    ("language", "names", "said"),
    [
        ("en", [], ""),
        ("en", ["A"], "A"),
        ("en", ["A", "B"], "A and B"),
        ("en", ["A", "{0}", "C"], "A, {0}, and C"),
        ("ja", ["A", "B", "C"], "A、B、C"),
    ],
)
def test_lists_are_joined_as_the_language_joins_them(language, names, said):
    assert load_language(language).formats.listed(names) == said


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [
        ("en", 0, "0 activities"),
        ("en", 1, "1 activity"),
        ("en", 2, "2 activities"),
        ("en", 1234, "1,234 activities"),
        ("ja", 1, "1件"),
        ("ja", 1234, "1,234件"),
    ],
)
def test_counts_take_the_plural_form_of_the_language(language, count, said):
    assert load_language(language).formats.counted(count, "activity") == said


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 plik"), (3, "3 pliki"), (5, "5 plików"), (22, "22 pliki")]
)
def test_a_language_with_more_plural_forms_uses_them(written, count, said):
    tree = shipped("en")
    forms = {"one": "{n} plik", "few": "{n} pliki", "other": "{n} plików"}
    tree["plurals"] = dict.fromkeys(tree["plurals"], forms)
    assert read_language("pl", written("pl", tree)).formats.counted(count, "activity") == said


# Words and names


def test_a_word_that_is_not_in_the_table_stands_for_itself():
    assert load_language("ja").word("roles", "champion") == "推進者"
    assert load_language("ja").word("roles", "経営企画") == "経営企画"
    assert load_language("ja").word("no such table", "x") == "x"


def test_kinds_and_roles_are_listed_in_words():
    assert load_language("en").list_kinds(["web_visit", "fax"]) == "web visit and fax"
    assert load_language("ja").list_kinds(["pricing_view", "fax"]) == "価格ページの閲覧、fax"
    assert load_language("en").list_roles(["decision_maker", "user"]) == "decision maker and user"


@pytest.mark.parametrize(
    "name",
    ["山田 太郎", "Zoë O'Brien", "สมชาย", "Σοφία", "김민수", "<b>&", "{{ role }}", "😀", "👩‍💻"],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_name_in_any_script_is_said_as_it_is(name, language):
    assert load_language(language).contact_name(name, "c1") == name


@pytest.mark.parametrize("name", ["محمد علي", "דוד"])
def test_a_name_from_right_to_left_is_isolated_from_the_sentence(name):
    assert load_language("en").contact_name(name, "c1") == ISOLATE + name + POP


@pytest.mark.parametrize(
    "name",
    ["A\nB", "A\r\nB", "A\tB", "A\x00B", "A\u2028B", "A\x85B", "A\x1b\nB", "\u202eA\nB\u202c"],
)
def test_a_name_is_one_line_without_control_characters(name):
    assert display_name(name) == "A B"


@pytest.mark.parametrize("name", [None, "", "  ", "\n\t", "\u202e"])
@pytest.mark.parametrize(
    ("language", "said"), [("en", "contact {c}1"), ("ja", "氏名未登録の連絡先「{c}1」")]
)
def test_a_contact_without_a_readable_name_is_called_by_its_id(language, name, said):
    assert load_language(language).contact_name(name, "{c}1") == said
    assert load_language(language).contact_name_with_honorific(name, "{c}1") == said


def test_a_very_long_name_ends_in_an_ellipsis():
    assert display_name("x" * MAX_NAME_LENGTH) == "x" * MAX_NAME_LENGTH
    assert display_name("x" * 10_000) == "x" * (MAX_NAME_LENGTH - 1) + "…"


@pytest.mark.parametrize("cluster", ["e\u0301", "👩‍💻", "👍🏽", "ที่"])
def test_a_long_name_is_never_cut_within_a_character(cluster):
    # Whatever stands before it, the cut falls before or after the cluster.
    for start in range(MAX_NAME_LENGTH - 8, MAX_NAME_LENGTH + 1):
        kept = display_name("x" * start + cluster + "y" * 50).removesuffix("…")
        assert kept in {"x" * min(start, MAX_NAME_LENGTH - 1)} | {
            "x" * start + cluster + "y" * more for more in range(10)
        }


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("佐藤花子", "佐藤花子様"),
        ("佐藤花子様", "佐藤花子様"),
        ("佐藤部長", "佐藤部長"),
        ("佐藤 取締役", "佐藤 取締役"),
        ("織田信長", "織田信長様"),  # a given name, no title
        ("John Smith", "John Smith様"),
        ("ご担当者", "ご担当者様"),
    ],
)
def test_japanese_names_have_one_honorific(name, said):
    assert load_language("ja").contact_name_with_honorific(name, "c1") == said
    assert load_language("en").contact_name_with_honorific(name, "c1") == name


def test_a_value_with_a_line_break_does_not_break_a_sentence():
    said = load_language("en").render("member_points", person="a", role="b\r\n\r\nc", points=1.0)
    assert said == "a (b c): +1.0 points."


def test_a_sentence_without_its_values_is_refused():
    english = load_language("en")
    with_values = [name for name in SENTENCES if "{" in english.sentences[name]]
    assert len(with_values) > len(SENTENCES) / 2
    for sentence in with_values:
        with pytest.raises((UndefinedError, TypeError)):
            english.render(sentence)


# Features


def test_features_are_called_as_the_catalogue_calls_them():
    feature = next(f for f in FEATURES if f.name == "members_user")
    assert load_language("en").feature_name(feature) == "members in the role user"
    assert load_language("ja").feature_name(feature) == "「利用者」の人数"


def test_a_language_s_own_words_for_features_come_before_english(written):
    chosen = read_language("de", written("de", german()))
    named = {feature.name: chosen.feature_name(feature) for feature in FEATURES}
    assert named["inbound_7d"] == "Aktivitäten in den letzten 7 Tagen"
    assert named["members_user"] == "Mitglieder in der Rolle user"
    assert named["inbound_30d"] == "activities in the last 30 days"


# Files of the user


def test_a_third_language_comes_from_a_folder_of_the_user(written):
    folder = written("de", german())
    assert languages(folder) == ("de", "en", "ja")
    chosen = load_language("de", str(folder))
    assert chosen.render("member_silent") == "Noch keine Aktivität."
    assert chosen.render("member_active", date=datetime(2024, 5, 31), kind="k", count=1200) == (
        "Last active on 31. Mai 2024 (k), 1.200 Aktivitäten in the last 30 days."
    )
    assert chosen.formats.percent(0.123) == "12,3\N{NO-BREAK SPACE}%"
    assert chosen.formats.signed(-3.21) == f"{MINUS}3,2"


def test_a_file_for_a_shipped_language_needs_only_what_differs(written):
    folder = written("ja", {"roles": {"user": "現場"}, "sentences": {"base": "アカウント"}})
    chosen = read_language("ja", folder)
    assert chosen.word("roles", "user") == "現場"
    assert chosen.word("roles", "champion") == "推進者"
    assert chosen.render("base") == "アカウント"
    assert chosen.render("member_silent") == load_language("ja").render("member_silent")
    assert load_language("ja").word("roles", "user") == "利用者"


def test_a_file_may_begin_with_a_byte_order_mark_and_have_windows_line_ends(tmp_path):
    text = '\ufeff[roles]\r\nuser = "end user"\r\n'
    (tmp_path / "en.toml").write_bytes(text.encode())
    assert read_language("en", tmp_path).word("roles", "user") == "end user"


def test_a_regional_code_is_a_language(written):
    assert read_language("pt_BR", written("pt_BR", shipped("en"))).formats.whole(1234) == "1.234"


@pytest.mark.parametrize("language", ["fr", "", "EN", "../languages/en", "en.toml"])
def test_an_unknown_language_is_refused_with_the_known_ones(language, written):
    said = refusal(language, written("de", german()))
    assert "language: expected one of de, en, ja, got" in said
    assert repr(language) in said
    assert "languages_folder" in said


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert "languages_folder: expected a folder" in refusal("en", tmp_path / "nowhere")


def test_a_file_named_after_no_language_is_refused(written):
    said = refusal("klingon", written("klingon", shipped("en")))
    assert "'klingon', which Babel does not know" in said


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "ja.toml").write_bytes('[roles]\nuser = "利用者"\n'.encode("shift_jis"))
    said = refusal("ja", tmp_path)
    assert "ja.toml: expected UTF-8 text" in said
    assert "position 16" in said


def test_a_file_that_is_not_toml_is_refused(written):
    said = refusal("ja", written("ja", "[roles\nuser = 1"))
    assert "ja.toml: expected TOML" in said
    assert "line 1" in said


@pytest.mark.parametrize("table", FIXED_KEY_TABLES)
def test_a_missing_key_of_a_new_language_is_named(table, written):
    tree = german()
    gone = sorted(tree[table])[0]
    del tree[table][gone]
    said = refusal("de", written("de", tree))
    assert "de.toml: missing" in said
    assert gone in said


def test_a_missing_table_of_a_new_language_is_refused(written):
    tree = german()
    del tree["status"]
    assert "missing key of [status]: accepted, nurture" in refusal("de", written("de", tree))


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_unknown_sentence_is_refused(language, written):
    tree = german() if language == "de" else {"sentences": {}}
    tree["sentences"]["goodbye"] = "Bye."
    assert "unknown sentence: goodbye" in refusal(language, written(language, tree))


def test_an_unknown_table_is_refused_with_the_known_ones(written):
    said = refusal("en", written("en", {"labls": {"a": "b"}}))
    assert "got 'labls'" in said
    assert "sentences, labels" in said


def test_an_unknown_placeholder_is_refused_with_file_sentence_and_the_known_ones(written):
    folder = written("en", {"sentences": {"quiet": "{{ person }} {{ nam }} {{ points }}"}})
    said = refusal("en", folder)
    assert "en.toml: sentence 'quiet': unknown placeholder nam, points; " in said
    assert said.endswith("known here: person, role")


def test_a_sentence_without_placeholders_takes_none(written):
    folder = written("en", {"sentences": {"base": "{{ x }}"}})
    assert "unknown placeholder x; known here: none" in refusal("en", folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ person", "expected a Jinja template"),
        ("{% if person %}x", "expected a Jinja template"),
        ("{{ person | shouted }}", "expected a Jinja template"),
        ("{% if role == 'x' %}{{ person | shouted }}{% else %}{{ 1 / 0 }}{% endif %}", ""),
        ("{{ person | signed }}", "fails"),
        ("{{ 1 | counted('sheep') }}", "no noun 'sheep'"),
        ("{{ person.__class__.__mro__ }}", "unsafe"),
        ("{% include 'other' %}", "fails"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(text, reason, written):
    said = refusal("en", written("en", {"sentences": {"quiet": text}}))
    assert "en.toml: sentence 'quiet': " in said
    assert reason in said


def test_a_sentence_that_fails_for_one_sample_only_is_refused(written):
    text = "{{ person }}, {{ title.upper() }}"
    folder = written("en", {"sentences": {"person": text.replace("person", "name")}})
    assert "'title': None" in refusal("en", folder)


def test_templates_are_kept_in_their_sandbox():
    environment = load_language("en").environment
    with pytest.raises(SecurityError):
        environment.from_string("{{ ''.__class__.__mro__[1].__subclasses__() }}").render()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("labels = 1", "expected a table [labels]"),
        ("[labels]\nscore = 1", "[labels] score: expected a text, got 1"),
        ('[plurals]\nday = "days"', "expected at least other"),
        ('[plurals.day]\none = "{n} day"', "expected at least other"),
        ('[plurals.day]\nother = "days"', "expected {n} where the number is"),
        ('[plurals.day]\nfew = "{n} days"\nother = "{n} days"', "one, other, got few"),
        ('[plurals.day]\none = 1\nother = "{n} days"', "one: expected a text, got 1"),
        ('[plurals.week]\nother = "{n} weeks"', "unknown key of [plurals]: week"),
    ],
)
def test_a_value_of_another_shape_is_refused(text, reason, written):
    assert reason in refusal("en", written("en", text))
