"""History: what became of the account's other groups, and of groups like this one elsewhere."""

from __future__ import annotations

from ..expressions import Expression, column, ratio
from ..feature import Feature
from ..vocabulary import Vocabulary

PRIOR_RATE = 0.05  # what a rate is taken to be before there is a history ...
PRIOR_GROUPS = 20.0  # ... and the weight of that assumption, in groups
LARGE_ACCOUNT_GROUPS = 50
"""From this many groups on an account's own ways show. On the Congress data, where committees are
the accounts, this was worth 0.011 of ROC AUC beside the rates below."""


def features(_vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return (
        Feature(
            "account", "history", "category",
            "which of the large accounts it is", "どの大口アカウントか",
            column("account"), categorical=True, min_groups=LARGE_ACCOUNT_GROUPS,
        ),
        Feature(
            "account_conversion_rate", "history", "share",
            "how often this account's other groups converted", "この企業の他グループの案件化率",
            _smoothed_rate("account_conversions", "account_groups"), "up",
        ),
        Feature(
            "account_loss_rate", "history", "share",
            "how often this account's other groups were lost", "この企業の他グループの失注率",
            _smoothed_rate("account_losses", "account_groups"), "down",
        ),
        Feature(
            "account_open_groups", "history", "groups",
            "other open groups of the account", "この企業で進行中の他グループの数",
            column("account_open_groups"),
        ),
        Feature(
            "shared_members", "history", "members",
            "members who are in other groups too", "他グループにも属する人数",
            column("shared_members"),
        ),
        Feature(
            "shared_members_share", "history", "share",
            "share of members who are in other groups too", "他グループにも属する人の割合",
            lambda t: ratio(t.shared_members, t.members),
        ),
        Feature(
            "industry_conversion_rate", "history", "share",
            "how often groups for this solution in this industry converted",
            "同じ業種・同じソリューションの他グループの案件化率",
            _smoothed_rate("peers_converted", "peers"), "up",
        ),
    )  # fmt: skip


def _smoothed_rate(event_count: str, group_count: str) -> Expression:
    """A share of groups, drawn towards the prior where they are few; null without any count.

    Rates, not counts: a count grows with the length of the history, so that a test after the
    training would lie outside of everything the trees have seen.
    """
    return lambda t: (t[event_count] + PRIOR_RATE * PRIOR_GROUPS) / (t[group_count] + PRIOR_GROUPS)
