"""Can the model be believed? Against an untuned rival, on shuffled outcomes, and how fast."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mqbg.features import prepare_source
from mqbg.features.tables.feature_source import FeatureSource, without_lone_activities
from mqbg.settings import ModelSettings, Settings, load_settings
from mqbg.source import open_source
from mqbg.support.progress import no_progress
from mqbg.train.data.snapshots import collect_snapshots
from mqbg.train.data.training_data import split_and_catalogue
from mqbg.train.evaluate.signal import Signal, find_signal
from mqbg.train.fit.procedure import fit_bundle, score_snapshots
from mqbg.train.training import MODEL, TrainingResult, train
from sklearn.metrics import average_precision_score, roc_auc_score

from . import congress
from .processes import in_processes, without_bars
from .rivals.hand_written import chances
from .timing import mqbg

OUTCOMES = ("opportunity", "won", "lost", "reopened")
QUICK = ModelSettings(ablation=False, threads=os.cpu_count() or 1)
SEEDS, NOISE_GROUPS = 20, 800


def rival(data: Path) -> None:
    """Prints ROC AUC and average precision beside those of an untuned LightGBM."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mqbg(folder, "simulate", "world", "--groups", "3000")
        settings = Settings(model=QUICK)
        _against_rival("simulated, 3,000 groups", folder / "world", settings, None)
        if not data.is_dir():
            print(f"congress110 skipped: {data} is not there")
            return
        (folder / "mqbg.toml").write_text(congress.SETTINGS)
        settings = replace(load_settings(folder / "mqbg.toml"), model=QUICK)
        _against_rival("congress110", data, settings, datetime(2008, 4, 1))


def _against_rival(name: str, data: Path, settings: Settings, test_from: datetime | None) -> None:
    trained = _trained(data, settings, test_from)
    rows = trained.evaluation.rows
    target, threads = settings.target.stage, settings.model.threads
    theirs = chances(data, trained.learned.scored_rows, rows, target, threads)
    ours = trained.evaluation.probabilities[MODEL]
    for figure, measure in (("AUC", roc_auc_score), ("AP", average_precision_score)):
        one, other = measure(rows["converted"], ours), measure(rows["converted"], theirs)
        print(f"{name}, {figure}: mqbg {one:.4f}, rival {other:.4f}, ahead by {one - other:+.4f}")


def _trained(data: Path, settings: Settings, test_from: datetime | None = None) -> TrainingResult:
    with open_source(data, threads=settings.model.threads) as source:
        return trained_on(prepare_source(source, settings), test_from)


def trained_on(source: FeatureSource, test_from: datetime | None = None) -> TrainingResult:
    """A training without a bar."""
    return train(source, test_from=test_from, progress=lambda _label, _share: None)


def noise(_data: Path) -> None:
    """Prints in how many worlds, as they are and with shuffled outcomes, a signal is found."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mqbg(folder, "simulate", "world", "--groups", str(NOISE_GROUPS))
        worlds = [(folder / "world", seed) for seed in (None, *range(SEEDS))]
        signals = in_processes("worlds", signal_of, worlds, lambda found: print(found.sentence))
        found = sum(signal.found for signal in signals[1:])
        print(f"as it is: {'a' if signals[0].found else 'no'} signal")
        print(f"no signal in {SEEDS - found} of {SEEDS} shuffled worlds (at least 19)")


def signal_of(world_and_seed: tuple[Path, int | None]) -> Signal:
    """Whether training finds a signal in a world whose outcomes are shuffled; None leaves them.

    Outcomes are shuffled before anything is computed of them, histories of accounts and contacts
    included. The judged model is fitted as `mqbg train` fits it; what training says of it beside
    the signal is left out.
    """
    world, seed = world_and_seed
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "world"
        shutil.copytree(world, folder, ignore=shutil.ignore_patterns("truth"))
        if seed is not None:
            stages = pq.read_table(world / "stage_events.parquet")
            shuffled = shuffled_outcomes(stages, world, seed)
            pq.write_table(shuffled, folder / "stage_events.parquet")
        settings = Settings(model=ModelSettings(threads=1))
        with open_source(folder, threads=1) as source:
            without_bars(source)
            prepared = without_lone_activities(prepare_source(source, settings))
            split, catalogue = split_and_catalogue(prepared, None)
            judged = replace(split, before_test=(), after_test=(), gap=())
            snapshots = collect_snapshots(prepared, catalogue, judged.cutoffs, no_progress)
    learned = fit_bundle(snapshots, judged, catalogue, settings, "", no_progress)
    rows = score_snapshots(learned.bundle, snapshots.at_cutoffs(judged.test))
    return find_signal(
        rows, rows["readiness"].to_numpy(), learned.scored_rows,
        resamples=settings.model.resamples, seed=settings.model.seed,
    )  # fmt: skip


def shuffled_outcomes(stages: pa.Table, world: Path, seed: int) -> pa.Table:
    """Stage events with the outcomes of each group handed on, all together, to another group."""
    groups = pq.read_table(world / "buying_groups.parquet")["group_id"].to_pylist()
    others = np.random.default_rng(seed).permutation(groups)
    handed = dict(zip(groups, others, strict=True))
    frame = stages.to_pandas()
    outcome = frame["stage"].isin(OUTCOMES)
    frame.loc[outcome, "group_id"] = frame.loc[outcome, "group_id"].map(handed)
    return pa.Table.from_pandas(frame, stages.schema, preserve_index=False)


def training(_data: Path) -> None:
    """Prints how long `mqbg train` takes on 100,000 snapshots, refits and logging included."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mqbg(folder, "simulate", "world", "--groups", "12500")
        start, cpu = time.perf_counter(), _cpu_of_commands()
        mqbg(folder, "train", "world", "--json", "figures.json")
        taken, cpu = time.perf_counter() - start, _cpu_of_commands() - cpu
        tree = pd.read_json(folder / "figures.json", typ="series")
        rows = tree["parameters"]["train_rows"] + tree["figures"][0]["rows"]
        print(
            f"{rows:,} snapshots, {tree['parameters']['features']} features, end to end: "
            f"{taken:.0f} s (at most 240 on two cores with nothing else to do), {cpu:.0f} CPU s"
        )


def _cpu_of_commands() -> float:
    """CPU seconds of the commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
