"""Language files: where they lie, reading them, and what is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from jinja2 import TemplateSyntaxError, meta

from ...contract import BadInput
from .formats import NUMBER
from .placeholders import SENTENCES, trials
from .sentences import Words

SUFFIX = ".toml"
WHOLE = ("sentences", "labels", "status", "populations", "plurals")
"""Tables that must have the same keys in every language."""

OPEN = (
    "themes", "roles", "kinds", "families", "questions", "methods", "units", "counters", "features",
)  # fmt: skip
"""Tables whose keys are names of the data or the catalogue; one without a word shows itself."""

Tree = dict[str, dict[str, Any]]


def languages(folder: str | Path = "") -> tuple[str, ...]:
    """Codes of the languages that there are files for, ours and those of a folder."""
    return tuple(sorted({*_files(_shipped()), *_files(_own(folder))}))


def read_words(language: str, folder: str | Path = "") -> Words:
    """The words of a language: our file, and over it the one of the folder.

    Raises:
        BadInput: there is no such language, or the folder's file is not as it must be.
    """
    known = languages(folder)
    if language not in known:
        raise BadInput(
            f"language: expected one of {', '.join(known)}, got {language!r}; another language is "
            "one more file in the folder that [explain] languages_folder names"
        )
    ours, theirs = _files(_shipped()).get(language), _files(_own(folder)).get(language)
    tree: Tree = _tree(ours) if ours is not None else {}
    if theirs is None:
        return _words(language, _locale(language, str(ours)), tree)
    where, locale = str(theirs), _locale(language, str(theirs))
    own = _tree(theirs)
    _refuse_odd_tables(own, locale, where)
    merged = {name: tree.get(name, {}) | own.get(name, {}) for name in tree | own}
    _refuse_other_keys(merged, where)
    words = _words(language, locale, merged)
    for sentence in own.get("sentences", {}):
        _refuse_bad_sentence(words, sentence, where)
    return words


def _shipped() -> Traversable:
    return files(__package__)


def _own(folder: str | Path) -> Traversable | None:
    if not str(folder):
        return None
    if not Path(folder).is_dir():
        raise BadInput(
            f"[explain] languages_folder: expected a folder of language files, got '{folder}'; "
            "make it, or leave the setting out"
        )
    return Path(folder)


def _files(folder: Traversable | None) -> dict[str, Traversable]:
    if folder is None:
        return {}
    return {
        file.name.removesuffix(SUFFIX): file
        for file in folder.iterdir()
        if file.name.endswith(SUFFIX)
    }


def _locale(language: str, where: str) -> Locale:
    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise BadInput(
            f"{where}: expected a file named after the code of a language, such as de.toml or "
            f"pt_BR.toml, got {language!r}, which Babel does not know; rename the file"
        ) from None


def _tree(file: Traversable) -> Tree:
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{file}: expected UTF-8 text, got a byte that is not at position {error.start}; save "
            "the file as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{file}: expected TOML, got what it does not allow: {error}") from None


def _words(language: str, locale: Locale, tree: Tree) -> Words:
    tables = {name: tree[name] for name in tree if name not in ("sentences", "plurals")}
    return Words(language, locale, tree["sentences"], tables, tree["plurals"])


def _refuse_odd_tables(tree: Mapping[str, Any], locale: Locale, where: str) -> None:
    """Tables of another name or shape."""
    for name, table in tree.items():
        if name not in (*WHOLE, *OPEN):
            raise BadInput(
                f"{where}: expected the tables {', '.join((*WHOLE, *OPEN))}, got {name!r}; "
                "rename it or leave it out"
            )
        if not isinstance(table, dict):
            raise BadInput(f"{where}: expected a table [{name}], got {name} = {table!r}")
        if name == "plurals":
            _refuse_bad_plurals(table, locale, where)
            continue
        for key, value in table.items():
            if not isinstance(value, str):
                raise BadInput(f"{where}: [{name}] {key}: expected a text, got {value!r}; quote it")


def _refuse_bad_plurals(plurals: Mapping[str, Any], locale: Locale, where: str) -> None:
    forms = (*sorted(locale.plural_form.tags), "other")
    for noun, said in plurals.items():
        place = f"{where}: [plurals.{noun}]"
        if not isinstance(said, dict) or "other" not in said:
            raise BadInput(f'{place}: expected at least other = "{NUMBER} ...", got {said!r}')
        if unknown := sorted(set(said) - set(forms)):
            raise BadInput(
                f"{place}: expected the plural forms of the language, {', '.join(forms)}, got "
                f"{', '.join(unknown)}; leave out what it does not have"
            )
        if bad := sorted(form for form, text in said.items() if not isinstance(text, str)):
            raise BadInput(f"{place} {bad[0]}: expected a text, got {said[bad[0]]!r}; quote it")
        if NUMBER not in said["other"]:
            raise BadInput(
                f"{place} other: expected {NUMBER} where the number stands, got {said['other']!r}"
            )


def _refuse_other_keys(tree: Tree, where: str) -> None:
    """Keys that English does not have, or has and this language lacks."""
    english = _tree(_shipped() / f"en{SUFFIX}")
    for table in WHOLE:
        thing = "sentence" if table == "sentences" else f"key of [{table}]"
        have, expected = set(tree.get(table, {})), set(english[table])
        if unknown := sorted(have - expected):
            raise BadInput(
                f"{where}: unknown {thing}: {', '.join(unknown)}; known are those of "
                f"mqbg/explain/language/en{SUFFIX}"
            )
        if missing := sorted(expected - have):
            raise BadInput(
                f"{where}: missing {thing}: {', '.join(missing)}; translate them from "
                f"mqbg/explain/language/en{SUFFIX}"
            )


def _refuse_bad_sentence(words: Words, sentence: str, where: str) -> None:
    """A sentence that is no template, speaks of what it is not given, or cannot be said."""
    place, text, known = f"{where}: sentence {sentence!r}", words.sentences[sentence], SENTENCES
    try:
        names = meta.find_undeclared_variables(words.environment.parse(text))
    except TemplateSyntaxError as error:
        raise BadInput(
            f"{place}: expected a Jinja template, got {text!r}: {error.message}"
        ) from None
    if unknown := sorted(names - set(known[sentence])):
        raise BadInput(
            f"{place}: unknown placeholder {', '.join(unknown)}; known here: "
            f"{', '.join(known[sentence]) or 'none'}"
        )
    for values in trials(sentence):
        try:
            words.say(sentence, **values)
        except Exception as error:  # whatever a template of a user may raise
            raise BadInput(
                f"{place}: expected a template that can be filled in, but with {values} it fails: "
                f"{error}"
            ) from None
