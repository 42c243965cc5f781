"""The gate: a challenger becomes champion unless it is worse, or nobody can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .mlflow_versions import LoggedTraining
from .paired_differences import PairedComparison
from .version_comparison import feature_sentence, revised_sentence

GATE_METRICS = {"log_loss": "log loss", "lift_at_capacity": "lift at capacity"}
LESS_IS_BETTER = frozenset({"log_loss"})
MIN_CONVERSIONS = 5  # with fewer, a resample says little more than who was drawn
NO_SIGNAL = "none"  # the run's tag `signal` where training found nothing to learn


@dataclass(frozen=True)
class PromotionDecision:
    """What the gate says of a challenger.

    Attributes:
        allowed: it may become champion.
        reason: why, in a sentence or two, with the figures.
        figures: the same for the record of the move.
    """

    allowed: bool
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def decide_promotion(
    challenger: LoggedTraining, paired: PairedComparison | None
) -> PromotionDecision:
    """Whether a challenger may become champion.

    It is worse where the 95 % interval of its difference to the champion, in log loss or in lift
    at capacity, lies wholly on the bad side.

    Args:
        challenger: the version that would be champion.
        paired: it against the champion; None where there is no champion.
    """
    if challenger.tags.get("signal") == NO_SIGNAL:
        return PromotionDecision(
            False,
            f"{_capitalised_name(challenger)} found no signal when it was trained, so its "
            "ranking is worth no more than chance.",
        )
    if paired is None:
        return PromotionDecision(
            True, f"{_capitalised_name(challenger)} has no champion to be measured against."
        )
    if obstacle := _obstacle(paired):
        return PromotionDecision(
            False,
            f"{_capitalised_name(challenger)} cannot be judged against the champion, "
            f"{paired.reference.name}: {obstacle}.",
            {"against": paired.reference.version, "obstacle": obstacle},
        )
    worse = [name for name in GATE_METRICS if _is_worse(name, paired)]
    verdict = "is worse" if worse else "is not worse"
    where = f", in {' and '.join(GATE_METRICS[one] for one in worse)}" if worse else ""
    sentence = (
        f"{_capitalised_name(challenger)} {verdict} than the champion, "
        f"{paired.reference.name}{where}: {_differences_text(paired)}, on {paired.rows:,} shared "
        f"test rows of {paired.accounts:,} accounts with {paired.conversions:,} conversions."
    )
    reason = " ".join(filter(None, (sentence, revised_sentence(paired), feature_sentence(paired))))
    return PromotionDecision(not worse, reason, _recorded_figures(paired, worse))


def _capitalised_name(training: LoggedTraining) -> str:
    return training.name[:1].upper() + training.name[1:]


def _obstacle(paired: PairedComparison) -> str:
    if paired.obstacle:
        return paired.obstacle
    shared = f"their {paired.rows:,} shared test rows"
    if paired.conversions < MIN_CONVERSIONS:
        return (
            f"{shared} hold {paired.conversions:,} conversions, and the gate needs at least "
            f"{MIN_CONVERSIONS}"
        )
    if not all(
        map(math.isfinite, (end for name in GATE_METRICS for end in _interval(name, paired)))
    ):
        return f"{shared} are of {paired.accounts:,} accounts, too few for an interval"
    return ""


def _interval(figure: str, paired: PairedComparison) -> tuple[float, float, float]:
    """The difference, and the two ends of its interval."""
    value, low, high = (float(paired.figures[part][figure]) for part in ("value", "low", "high"))
    return value, low, high


def _is_worse(figure: str, paired: PairedComparison) -> bool:
    _value, low, high = _interval(figure, paired)
    return low > 0 if figure in LESS_IS_BETTER else high < 0


def _differences_text(paired: PairedComparison) -> str:
    parts = []
    for figure, label in GATE_METRICS.items():
        value, low, high = _interval(figure, paired)
        parts.append(f"{label} {value:+z.4f} ({low:+z.4f} to {high:+z.4f})")
    return ", ".join(parts)


def _recorded_figures(paired: PairedComparison, worse: list[str]) -> dict[str, Any]:
    return {
        "against": paired.reference.version,
        "rows": paired.rows,
        "conversions": paired.conversions,
        "accounts": paired.accounts,
        "worse": worse,
        **{
            figure: [round(part, 6) for part in _interval(figure, paired)]
            for figure in GATE_METRICS
        },
    }
