"""One language: its sentences, filled in, and its words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from babel import Locale
from jinja2 import StrictUndefined, Template
from jinja2.runtime import new_context
from jinja2.sandbox import SandboxedEnvironment

from ...features.declare.feature import Feature
from .formats import Formats
from .names import display_name, on_one_line


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: its code, the file's name.
        locale: what Babel knows of it.
        sentences: Jinja templates.
        word_tables: tables of words: labels, status, themes, roles, kinds ...
        plurals: forms of counted nouns.
    """

    code: str
    locale: Locale
    sentences: Mapping[str, str]
    word_tables: Mapping[str, Mapping[str, str]]
    plurals: Mapping[str, Mapping[str, str]]

    @cached_property
    def formats(self) -> Formats:
        """How the language writes numbers, dates, lists and plurals."""
        return Formats(self.locale, self.plurals)

    def render(self, sentence: str, **values: object) -> str:
        """A sentence with its values filled in, on one line whatever they hold."""
        template = self._templates.get(sentence)
        if template is None:
            template = self.environment.from_string(self.sentences[sentence])
            self._templates[sentence] = template
        # As `template.render`, which copies the values and all globals, of which there are none.
        context = new_context(self.environment, None, template.blocks, values, shared=True)
        return "".join(template.root_render_func(context))

    def join_sentences(self, sentences: Iterable[str]) -> str:
        """Sentences one after the other."""
        return self.word_tables["labels"]["between_sentences"].join(sentences)

    def word(self, table: str, name: str) -> str:
        """The word for a name; a name without one stands for itself."""
        return self.word_tables.get(table, {}).get(name) or display_name(name) or name

    def list_kinds(self, kinds: Iterable[str]) -> str:
        """Activity kinds as a list in words."""
        return self.formats.listed(self.word("kinds", kind) for kind in kinds)

    def list_roles(self, roles: Iterable[str]) -> str:
        """Roles as a list in words."""
        return self.formats.listed(self.word("roles", role) for role in roles)

    def unit_counter(self, unit: str) -> str:
        """What follows a number of this unit, such as 件; often nothing."""
        return self.word_tables.get("counters", {}).get(unit, "")

    def feature_name(self, feature: Feature) -> str:
        """What a feature is called; in a language without a word for it, in English."""
        subject = self.word(*feature.subject) if feature.subject else None
        own = self.word_tables.get("features", {}).get(feature.english)
        if own is None:
            return feature.describe(self.code, subject)
        return own.replace("{subject}", subject or "")

    def counted_feature(self, feature_name: str, value: float) -> str | None:
        """A count with what it counts, such as "1 activity in the last 7 days".

        Args:
            feature_name: as `feature_name` gives it.
            value: the count.

        Returns:
            None where the name does not begin with a noun that `[counted_nouns]` knows.
        """
        nouns = self.word_tables.get("counted_nouns", {})
        beginnings = (noun for noun in nouns if f"{feature_name} ".startswith(f"{noun} "))
        noun = max(beginnings, key=len, default=None)
        if noun is None:
            return None
        number = self.formats.compact(value) if value else self.word("labels", "zero")
        return f"{number} {nouns[noun] if value == 1 else noun}{feature_name[len(noun) :]}"

    def contact_name(self, full_name: str | None, contact_id: str) -> str:
        """A contact's name, or what stands for it."""
        unknown = display_name(contact_id) or contact_id
        return display_name(full_name) or self.render("unknown_name", contact_id=unknown)

    def contact_name_with_honorific(self, full_name: str | None, contact_id: str) -> str:
        """The same with the language's honorific, unless a title or another one ends it."""
        name, label = self.contact_name(full_name, contact_id), self.word_tables["labels"]
        endings = tuple(label["honorific_not_after"].split())
        if display_name(full_name) is None or (endings and name.endswith(endings)):
            return name
        return name + label["honorific"]

    @cached_property
    def environment(self) -> SandboxedEnvironment:
        """What the sentences are read with."""
        # Pages escape for themselves; elsewhere a sentence is text.
        environment = SandboxedEnvironment(
            undefined=StrictUndefined,
            autoescape=False,
            finalize=lambda value: (
                value if not isinstance(value, str) or value.isprintable() else on_one_line(value)
            ),
        )
        # Sentences need no functions; copying Jinja's own for each took most of the time.
        environment.globals.clear()
        environment.filters |= self.formats.filters
        return environment

    @cached_property
    def _templates(self) -> dict[str, Template]:
        return {}
