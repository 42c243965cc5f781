"""The feature reference, `docs/features.md`, written from the catalogue; `make docs` prints it."""

from __future__ import annotations

from itertools import groupby

from ...settings import RoleRequirement
from .catalogue import Catalogue, build_catalogue
from .feature import Feature
from .template import Template, TemplateRole
from .vocabulary import Vocabulary

# What the data names is between angle brackets.
_PLACEHOLDER_ROLE = TemplateRole("<role>", "<role>", RoleRequirement(), {})
_COLUMN_PLACEHOLDERS = {"kind_family_": "kind_<family>_", "answer_question": "answer_<question>"}
_SUBJECT_PLACEHOLDERS = {"roles": "*role*", "families": "*family*", "questions": "*question*"}
_ARROWS = {"up": "↑", "down": "↓", None: ""}

_HEAD = """\
# Features

Every column of the feature table, in the words that explanations use. This page is written from
the catalogue (`make docs`), and a test keeps it current.

A feature of a group at a cut-off is made of what was known before it. Windows are
[cut-off - days, cut-off). `<role>` stands for each role of the template, `<family>` for each of
the most frequent families of inbound kinds (8 at most), `<question>` for each of the most frequent
questions of inside sales (8 at most). Windows, half-lives, the fiscal year's end and the two roles
in step are settings, `[features]` in `mqbg.toml`; the names below are those of the defaults.
An arrow says which way conversion plausibly goes with more of it.
"""


def feature_reference() -> str:
    """The page, as Markdown."""
    catalogue = _placeholder_catalogue()
    parts = [_HEAD, f"There are {len(catalogue.features)} of them, by theme.\n"]
    for theme, features in groupby(catalogue.features, key=lambda feature: feature.theme):
        parts += [f"## {theme.capitalize()}\n", "| column | | unit | English | 日本語 |"]
        parts += ["|---|---|---|---|---|", *(_table_row(feature) for feature in features), ""]
    return "\n".join(parts)


def _placeholder_catalogue() -> Catalogue:
    roles = Template((_PLACEHOLDER_ROLE,))
    return build_catalogue(Vocabulary(roles, ("family",), ("question",), uncertain_roles=True))


def _table_row(feature: Feature) -> str:
    subject = _SUBJECT_PLACEHOLDERS[feature.subject[0]] if feature.subject else None
    if feature.subject and " + " in feature.subject[1]:
        subject = feature.subject[1]  # the two roles in step, by their names in the settings
    name = feature.name
    for prefix, placeholder in _COLUMN_PLACEHOLDERS.items():
        name = name.replace(prefix, placeholder)
    descriptions = feature.describe("en", subject), feature.describe("ja", subject)
    return (
        f"| `{name}` | {_ARROWS[feature.direction]} | {feature.unit} | {' | '.join(descriptions)} |"
    )


if __name__ == "__main__":
    print(feature_reference(), end="")  # noqa: T201 - the page is the result
