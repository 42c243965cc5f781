"""Sentences for salespeople; each language is one file of templates and words."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from ..contract import BadInput


@dataclass(frozen=True)
class Words:
    """One language.

    Attributes:
        language: its code, the file's name.
        sentences: Jinja templates.
        words: tables of words: labels, status, themes, roles, kinds.
    """

    language: str
    sentences: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]

    def say(self, sentence: str, **values: object) -> str:
        """A sentence with its values filled in."""
        return _template(self.sentences[sentence]).render(values)

    def word(self, table: str, name: str) -> str:
        """The word for a name; a name without one stands for itself."""
        return self.words[table].get(name, name)

    def kinds(self, kinds: Iterable[str]) -> str:
        """Activity kinds as a list in words."""
        return self.words["labels"]["joiner"].join(self.word("kinds", kind) for kind in kinds)

    def roles(self, roles: Iterable[str]) -> str:
        """Roles as a list in words."""
        return self.words["labels"]["joiner"].join(self.word("roles", role) for role in roles)

    def name(self, full_name: str | None, contact_id: str) -> str:
        """A contact's name, or what stands for it."""
        return full_name or self.words["labels"]["unknown_name"].format(id=contact_id)


def signed(points: float) -> str:
    """A number of score points with its sign: +3.2, -0.4, 0.0; -0.0 is 0.0."""
    text = f"{points:+.1f}"
    return "0.0" if text in {"+0.0", "-0.0"} else text.replace("-", "\N{MINUS SIGN}")


def date_of(instant: datetime) -> str:
    """A date as both languages write it in tables: 2024-05-31."""
    return f"{instant:%Y-%m-%d}"


def languages() -> tuple[str, ...]:
    """Codes of the languages that there are files for."""
    folder = files(__package__) / "languages"
    return tuple(
        sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))
    )


@cache
def words(language: str) -> Words:
    """The words of a language.

    Raises:
        BadInput: there is no such language.
    """
    if language not in languages():
        raise BadInput(
            f"language: expected one of {', '.join(languages())}, got {language!r}; another "
            "language is one more file in mqbg/explain/languages"
        )
    text = (files(__package__) / "languages" / f"{language}.toml").read_text(encoding="utf-8")
    tree = tomllib.loads(text)
    return Words(language, tree.pop("sentences"), tree)


_environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


@cache
def _template(text: str) -> Template:
    return _environment.from_string(text)
