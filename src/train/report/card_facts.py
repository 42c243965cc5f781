"""A training in words: the facts of its model card, and what to expect of its threshold."""

from __future__ import annotations

from ..evaluate.evaluation import MODEL
from ..fit.shrinkage import describe_blend as sample_sentence
from ..training import Trained
from .model_card import CardFacts, Part


def card_facts(trained: Trained, data: str, package_version: str) -> CardFacts:
    """What the model card says of a training."""
    bundle, judged, split = trained.bundle, trained.judged, trained.split
    few = bundle.settings.model.few_conversions
    sample = sample_sentence(bundle.blend, few) or (
        f"{bundle.blend.effective_conversions:,} groups converted in the training part, at least "
        f"the {few:,} from which the trees stand alone."
    )
    rows = judged.rows
    return CardFacts(
        name=bundle.settings.model.registered_name,
        version=None,
        package_version=package_version,
        data=data,
        fingerprint=bundle.training.fingerprint,
        target=bundle.settings.target.stage,
        horizon_days=bundle.settings.target.horizon_days,
        train=Part(
            split.train[0], split.train[-1], len(split.train), bundle.training.rows,
            bundle.training.conversions,
        ),
        test=Part(
            split.test[0], split.test[-1], len(split.test), len(rows), int(rows["converted"].sum())
        ),
        features=len(bundle.catalogue.feature_names),
        trees=trained.learned.fitted_trees.rounds if trained.learned.fitted_trees else 0,
        touched_per_snapshot=trained.touched_per_snapshot,
        model=MODEL,
        verdict=judged.verdict,
        signal=judged.signal.sentence,
        figures=judged.figures,
        differences=judged.differences,
        segments=judged.segments,
        calibration=_calibration_sentences(trained),
        thresholds=threshold_sentences(trained) if judged.signal.found else (),
        sample=(sample,),
        findings=tuple(finding.sentence for finding in trained.findings),
    )  # fmt: skip


def _calibration_sentences(trained: Trained) -> tuple[str, ...]:
    chosen = trained.learned.calibrator_choice
    if chosen is None:
        return ("Too few labels: the chances are those of the rule score.",)
    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in chosen.log_loss.items())
    expected = trained.bundle.settings.model.expected_rate
    moved = () if expected is None else (f"Moved to an expected rate of {expected:.1%}.",)
    return (
        f"Map from raw score to chance, by least held-out log loss ({losses}): {chosen.name}.",
        "The interval of each readiness is Venn-Abers', learned on the same held-out scores.",
        *moved,
    )


def threshold_sentences(trained: Trained) -> tuple[str, ...]:
    """Which groups qualify, what was promised of it and what the test kept."""
    lines = trained.bundle.thresholds
    said = [lines.description(trained.split.cutoffs[-1])]
    for words, brought in (
        ("To be expected", lines.forecast),
        ("On the test part it brought", trained.judged.kept),
    ):
        if brought is not None:
            shown = [
                f"{label} {estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"
                for label, estimate, form in (
                    ("newly qualified a week", brought.per_week, ".1f"),
                    ("precision", brought.precision, ".0%"),
                    ("recall", brought.recall, ".0%"),
                    ("value a week", brought.value_per_week, ",.0f"),
                )
                if None not in (estimate.value, estimate.low, estimate.high)
            ]
            said.append(f"{words}: {', '.join(shown)}." if shown else f"{words}: nothing.")
    if lines.policy == "capacity":
        said.append(
            "The line follows the capacity by the features of the snapshots, also over the test "
            "part; outcomes play no part in it."
        )
    return tuple(said)
