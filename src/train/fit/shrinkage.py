"""Few labels: how much the trees may say, and the rule score that says the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model.calibrators import Blend
from .calibration import fit_platt
from .trees import TrainingMatrix

Floats = NDArray[np.float64]

SLOPE_WITHOUT_LABELS = 0.03
"""Log-odds for a point of the rule before anything converted: 20 to 1 from worst to best.

Nothing is known then but the order; the readiness is no measured probability.
"""


def effective_conversions(rows: TrainingMatrix) -> int:
    """Groups that converted, or groups that did not where they are fewer.

    A group that is in many snapshots has one outcome, however often it is looked at.
    """
    converted = set(rows.group_id[rows.converted])
    return min(len(converted), len(set(rows.group_id) - converted))


def trees_share(conversions: int, few_conversions: int, *, fitted: bool) -> float:
    """How much the trees say of the raw score: all from `few_conversions` on, less below.

    Args:
        conversions: of `effective_conversions`.
        few_conversions: the settings' number of conversions from which the trees score alone.
        fitted: whether there are trees at all.
    """
    return min(1.0, conversions / few_conversions) if fitted else 0.0


def blend_with_rule(
    engagement: Floats,
    completeness: Floats,
    converted: NDArray[np.bool_],
    *,
    conversions: int,
    trees_share: float,
) -> Blend:
    """The rule score on the scale of log-odds, and the trees' share.

    The rule is the mean of the market leader's engagement and completeness (field-notes.md), as in
    the baseline of that name; Platt's two numbers put it on the scale of log-odds.

    Args:
        engagement: shape (rows,); feature `rule_engagement` of the training rows, 0..100.
        completeness: shape (rows,); 0..1.
        converted: shape (rows,).
        conversions: of `effective_conversions`.
        trees_share: of `trees_share`.
    """
    unscaled = Blend(
        trees_share, conversions, 1.0, 0.0, *_rule_feature_means(engagement, completeness)
    )
    rule_score = unscaled.rule_log_odds(engagement, completeness)
    if converted.any() and not converted.all():
        platt = fit_platt(rule_score, converted)
        slope, intercept = platt.slope, platt.intercept
    else:
        slope = SLOPE_WITHOUT_LABELS
        smoothed = (converted.sum() + 1) / (converted.size + 2)
        intercept = float(np.log(smoothed / (1 - smoothed)) - slope * rule_score.mean())
    return Blend(
        trees_share, conversions, slope, intercept, *_rule_feature_means(engagement, completeness)
    )


def _rule_feature_means(engagement: Floats, completeness: Floats) -> tuple[float, float]:
    return float(np.nan_to_num(engagement).mean()), float(np.nan_to_num(completeness).mean())


def describe_blend(blend: Blend, few_conversions: int) -> str:
    """What ranks the groups, in words; empty where the trees score alone."""
    if blend.trees_share == 1:
        return ""
    count = f"{blend.effective_conversions:,} converted group"
    count += "" if blend.effective_conversions == 1 else "s"
    if blend.trees_share == 0:
        return (
            f"Too few labels for a model ({count}): the rule score of engagement and completeness "
            "ranks the groups, and its readiness is no measured probability."
        )
    return (
        f"Few labels ({count}, under {few_conversions:,}): the trees make up "
        f"{blend.trees_share:.0%} of the score, the rule score of engagement and completeness "
        "the rest."
    )
