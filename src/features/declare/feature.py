"""A feature: one column of the feature table, and what people call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .expressions import Expression

Theme = Literal[
    "engagement", "momentum", "coordination", "roles", "completeness", "journey", "qualification",
    "fit", "history", "contact history", "sales touch", "rule scores", "calendar",
]  # fmt: skip
Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the feature table.

    Attributes:
        name: `<what>_<window>`.
        theme: the theme it belongs to in explanations.
        unit: of the value.
        english: the plain words, as a salesperson would say it; `{subject}` is in them for
            the role, kind family or question that the data names.
        japanese: the same in Japanese.
        value: from the reduced terms and the facts.
        direction: "up" where more of it plausibly goes with conversion, "down" where less does,
            None where it may be either.
        categorical: True for text categories, which the trees split by set.
        min_groups: of a category, the groups of the training that must have had a value; one
            that fewer had counts as unknown.
        subject: what kind of name `{subject}` is ("roles", "families" or "questions"), and the
            name.
    """

    name: str
    theme: Theme
    unit: str
    english: str
    japanese: str
    value: Expression
    direction: Direction | None = None
    categorical: bool = False
    min_groups: int = 1
    subject: tuple[str, str] | None = None

    def describe(self, language: str, subject: str | None = None) -> str:
        """The plain words in a language.

        Args:
            language: "ja" or, for any other, English.
            subject: what to call the subject; by default as the data does.
        """
        text = self.japanese if language == "ja" else self.english
        return text.replace("{subject}", subject or self.subject[1]) if self.subject else text
