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
from .placeholders import SENTENCES, sample_values
from .sentences import Language

SUFFIX = ".toml"
FIXED_KEY_TABLES = (
    "sentences", "labels", "status", "tasks", "transitions", "populations", "plurals",
)  # fmt: skip
"""Tables that must have the same keys in every language."""

OPEN_KEY_TABLES = (
    "themes", "roles", "kinds", "families", "questions", "methods", "units", "counters", "features",
    "counted_nouns", "columns",
)  # fmt: skip
"""Tables whose keys are names of the data or the catalogue; one without a word shows itself."""

LanguageTables = dict[str, dict[str, Any]]


def languages(folder: str | Path = "") -> tuple[str, ...]:
    """Codes of the languages that there are files for, ours and those of a folder."""
    return tuple(
        sorted({*_files_by_code(_shipped_folder()), *_files_by_code(_custom_folder(folder))})
    )


def read_language(code: str, folder: str | Path = "") -> Language:
    """The words of a language: our file, and over it the one of the folder.

    Raises:
        BadInput: there is no such language, or the folder's file is not as it must be.
    """
    known = languages(folder)
    if code not in known:
        raise BadInput(
            f"language: expected one of {', '.join(known)}, got {code!r}; another language is "
            "one more file in the folder that [explain] languages_folder names"
        )
    shipped_file, custom_file = (
        _files_by_code(_shipped_folder()).get(code),
        _files_by_code(_custom_folder(folder)).get(code),
    )
    shipped: LanguageTables = _read_tables(shipped_file) if shipped_file is not None else {}
    if custom_file is None:
        return _language(code, _locale(code, str(shipped_file)), shipped)
    where, locale = str(custom_file), _locale(code, str(custom_file))
    custom = _read_tables(custom_file)
    _require_known_tables(custom, locale, where)
    merged = {name: shipped.get(name, {}) | custom.get(name, {}) for name in shipped | custom}
    _require_same_keys(merged, where)
    language = _language(code, locale, merged)
    for sentence in custom.get("sentences", {}):
        _require_valid_sentence(language, sentence, where)
    return language


def _shipped_folder() -> Traversable:
    return files(__package__)


def _custom_folder(folder: str | Path) -> Traversable | None:
    if not str(folder):
        return None
    if not Path(folder).is_dir():
        raise BadInput(
            f"[explain] languages_folder: expected a folder of language files, got '{folder}'; "
            "make it, or leave the setting out"
        )
    return Path(folder)


def _files_by_code(folder: Traversable | None) -> dict[str, Traversable]:
    if folder is None:
        return {}
    return {
        file.name.removesuffix(SUFFIX): file
        for file in folder.iterdir()
        if file.name.endswith(SUFFIX)
    }


def _locale(code: str, where: str) -> Locale:
    try:
        return Locale.parse(code.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise BadInput(
            f"{where}: expected a file named after the code of a language, such as de.toml or "
            f"pt_BR.toml, got {code!r}, which Babel does not know; rename the file"
        ) from None


def _read_tables(file: Traversable) -> LanguageTables:
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{file}: expected UTF-8 text, got a byte that is not at position {error.start}; save "
            "the file as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{file}: expected TOML, got what it does not allow: {error}") from None


def _language(code: str, locale: Locale, tables_read: LanguageTables) -> Language:
    tables = {
        name: tables_read[name] for name in tables_read if name not in ("sentences", "plurals")
    }
    return Language(code, locale, tables_read["sentences"], tables, tables_read["plurals"])


def _require_known_tables(tables: Mapping[str, Any], locale: Locale, where: str) -> None:
    """Tables of another name or shape."""
    for name, table in tables.items():
        if name not in (*FIXED_KEY_TABLES, *OPEN_KEY_TABLES):
            raise BadInput(
                f"{where}: expected the tables {', '.join((*FIXED_KEY_TABLES, *OPEN_KEY_TABLES))}, "
                f"got {name!r}; rename it or leave it out"
            )
        if not isinstance(table, dict):
            raise BadInput(f"{where}: expected a table [{name}], got {name} = {table!r}")
        if name == "plurals":
            _require_valid_plurals(table, locale, where)
            continue
        for key, value in table.items():
            if not isinstance(value, str):
                raise BadInput(f"{where}: [{name}] {key}: expected a text, got {value!r}; quote it")


def _require_valid_plurals(plurals: Mapping[str, Any], locale: Locale, where: str) -> None:
    allowed = (*sorted(locale.plural_form.tags), "other")
    for noun, forms in plurals.items():
        entry = f"{where}: [plurals.{noun}]"
        if not isinstance(forms, dict) or "other" not in forms:
            raise BadInput(f'{entry}: expected at least other = "{NUMBER} ...", got {forms!r}')
        if unknown := sorted(set(forms) - set(allowed)):
            raise BadInput(
                f"{entry}: expected the plural forms of the language, {', '.join(allowed)}, got "
                f"{', '.join(unknown)}; leave out what it does not have"
            )
        if bad := sorted(form for form, text in forms.items() if not isinstance(text, str)):
            raise BadInput(f"{entry} {bad[0]}: expected a text, got {forms[bad[0]]!r}; quote it")
        if NUMBER not in forms["other"]:
            raise BadInput(
                f"{entry} other: expected {NUMBER} where the number is, got {forms['other']!r}"
            )


def _require_same_keys(tables: LanguageTables, where: str) -> None:
    """Keys that English does not have, or has and this language lacks."""
    english = _read_tables(_shipped_folder() / f"en{SUFFIX}")
    for table in FIXED_KEY_TABLES:
        thing = "sentence" if table == "sentences" else f"key of [{table}]"
        given, expected = set(tables.get(table, {})), set(english[table])
        if unknown := sorted(given - expected):
            raise BadInput(
                f"{where}: unknown {thing}: {', '.join(unknown)}; known are those of "
                f"mqbg/explain/language/en{SUFFIX}"
            )
        if missing := sorted(expected - given):
            raise BadInput(
                f"{where}: missing {thing}: {', '.join(missing)}; translate them from "
                f"mqbg/explain/language/en{SUFFIX}"
            )


def _require_valid_sentence(language: Language, sentence: str, where: str) -> None:
    """A sentence that is no template, speaks of what it is not given, or cannot be said."""
    entry, text, placeholders = (
        f"{where}: sentence {sentence!r}",
        language.sentences[sentence],
        SENTENCES,
    )
    try:
        names = meta.find_undeclared_variables(language.environment.parse(text))
    except TemplateSyntaxError as error:
        raise BadInput(
            f"{entry}: expected a Jinja template, got {text!r}: {error.message}"
        ) from None
    if unknown := sorted(names - set(placeholders[sentence])):
        raise BadInput(
            f"{entry}: unknown placeholder {', '.join(unknown)}; known here: "
            f"{', '.join(placeholders[sentence]) or 'none'}"
        )
    for values in sample_values(sentence):
        try:
            language.render(sentence, **values)
        except Exception as error:  # whatever a template of a user may raise
            raise BadInput(
                f"{entry}: expected a template that can be filled in, but with {values} it fails: "
                f"{error}"
            ) from None
