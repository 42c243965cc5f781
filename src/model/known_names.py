"""The names that a model knows: roles, kinds, stages and categories, as its training had them."""

from __future__ import annotations

from collections.abc import Mapping

from .bundle import Bundle

# Category features by the column of the contract that they are.
CATEGORY_COLUMNS: Mapping[str, str] = {
    "industry": "accounts.industry",
    "country": "accounts.country",
    "tier": "accounts.tier",
}


def model_spellings(bundle: Bundle) -> dict[str, tuple[str, ...]]:
    """By `table.column`, the names that other spellings are joined to (`[source] normalise`)."""
    settings, vocabulary = bundle.settings, bundle.vocabulary
    stages = (settings.target.stage, *settings.target.closed_stages, "reopened")
    categories = {
        column: bundle.category_values.get(feature, ())
        for feature, column in CATEGORY_COLUMNS.items()
    }
    return {
        **categories,
        "members.role": tuple(role.name for role in vocabulary.template.roles),
        "activities.kind": (*settings.kinds, *vocabulary.families),
        "stage_events.stage": stages,
        "answers.question": vocabulary.questions,
        "contacts.department": vocabulary.departments,
    }
