"""A training in words: the facts of its model card, and what to expect of its threshold."""

from __future__ import annotations

from ...model.intervals import INTERVAL_SHARE
from ..evaluate.evaluation import MODEL
from ..evaluate.forecast_check import forecast_sentence
from ..fit.shrinkage import describe_blend as sample_sentence
from ..training import LEVEL_REMEDY, TrainingResult
from .model_card import CardFacts, SplitPart


def card_facts(trained: TrainingResult, data: str, package_version: str) -> CardFacts:
    """What the model card says of a training."""
    bundle, evaluation, split = trained.bundle, trained.evaluation, trained.split
    judged = trained.learned.bundle.training
    few_conversions = bundle.settings.model.few_conversions
    sample = sample_sentence(bundle.blend, few_conversions) or (
        f"{bundle.blend.effective_conversions:,} groups converted in what was learned from, "
        f"at least the {few_conversions:,} from which the trees score alone."
    )
    rows = evaluation.rows
    return CardFacts(
        name=bundle.settings.model.registered_name,
        version=None,
        package_version=package_version,
        data=data,
        fingerprint=bundle.training.fingerprint,
        target=bundle.settings.target.stage,
        horizon_days=bundle.settings.target.horizon_days,
        train=SplitPart(
            split.train[0], split.train[-1], len(split.train), judged.rows, judged.conversions,
        ),
        test=SplitPart(
            split.test[0], split.test[-1], len(split.test), len(rows), int(rows["converted"].sum())
        ),
        features=len(bundle.catalogue.feature_names),
        trees=trained.registered.fitted_trees.rounds if trained.registered.fitted_trees else 0,
        touched_per_snapshot=trained.touched_per_snapshot,
        model=MODEL,
        verdict=evaluation.verdict,
        signal=evaluation.signal.sentence,
        figures=evaluation.figures,
        differences=evaluation.differences,
        segments=evaluation.segments,
        calibration=_calibration_sentences(trained),
        thresholds=threshold_sentences(trained) if evaluation.signal.found else (),
        sample_size=(sample,),
        findings=tuple(finding.sentence for finding in trained.findings),
        refit=refit_sentence(trained),
        linear_share=bundle.linear.share if bundle.linear else 0.0,
    )  # fmt: skip


def refit_sentence(trained: TrainingResult) -> str:
    """What the registered version learned from; empty where there is none."""
    if trained.refit is None:
        return ""
    about = trained.bundle.training
    cutoffs = len(trained.split.labelled)
    return (
        "The test judges the procedure. What is registered was fitted by the same procedure, "
        "calibrator and thresholds included, to every label known: "
        f"{about.rows:,} snapshots of {cutoffs:,} cut-offs from {about.first_as_of:%Y-%m-%d} to "
        f"{about.last_as_of:%Y-%m-%d}, {about.conversions:,} converted."
    )


def _calibration_sentences(trained: TrainingResult) -> tuple[str, ...]:
    chosen = trained.registered.calibrator_choice
    if chosen is None:
        return ("Too few labels: the chances are those of the rule score.",)
    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in chosen.log_loss.items())
    expected = trained.bundle.settings.model.expected_rate
    recency = (
        "All rows count alike for the calibrator."
        if chosen.half_life_days is None
        else f"Rows count half for the calibrator every {chosen.half_life_days} days of age."
    )
    level = trained.evaluation.level
    rate_shift = () if expected is None else (f"Moved to an expected rate of {expected:.1%}.",)
    return (
        f"Map from raw score to chance, by least held-out log loss ({losses}): {chosen.name}.",
        (
            f"The interval of each readiness holds it in {INTERVAL_SHARE:.0%} of the cases, had "
            f"the model learned from other accounts ({len(trained.bundle.refits)} refits)."
            if trained.bundle.refits
            else "The interval of each readiness is Venn-Abers', learned on the held-out scores."
        ),
        recency,
        f"{level.sentence} {LEVEL_REMEDY}" if level.off else level.sentence,
        *rate_shift,
    )


def threshold_sentences(trained: TrainingResult) -> tuple[str, ...]:
    """Which groups qualify, what is to be expected of it and whether that came in on the test."""
    thresholds = trained.bundle.thresholds
    sentences = [thresholds.description(trained.split.cutoffs[-1])]
    checked = forecast_sentence(trained.evaluation.forecast_checks)
    nights = trained.nights
    measured = [("To be expected", thresholds.forecast)]
    if nights is not None:
        held_out = (
            f"On the {nights.count} nights up to {nights.last:%Y-%m-%d}, held out, it brought"
        )
        measured.append((held_out, nights.performance))
    if not checked:
        measured.append(("On the test part it brought", trained.evaluation.realised))
    for heading, performance in measured:
        if performance is not None:
            shown = [
                f"{label} {estimate.value:{number_format}} "
                f"({estimate.low:{number_format}} to {estimate.high:{number_format}})"
                for label, estimate, number_format in (
                    ("newly qualified a week", performance.per_week, ".1f"),
                    ("precision", performance.precision, ".0%"),
                    ("recall", performance.recall, ".0%"),
                    ("value a week", performance.value_per_week, ",.0f"),
                )
                if None not in (estimate.value, estimate.low, estimate.high)
            ]
            sentences.append(f"{heading}: {', '.join(shown)}." if shown else f"{heading}: nothing.")
    if checked:
        sentences.append(checked)
    if thresholds.policy == "capacity":
        sentences.append(
            "The line follows the capacity by the features of the snapshots, also over the test "
            "part; outcomes play no part in it. Runs that are kept in a store let in the readiest "
            "groups, as many as there is capacity for."
        )
    return tuple(sentences)
