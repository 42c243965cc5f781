"""Scoring and explaining 300 trees on one core: ours, LightGBM, shap, woodelf, fasttreeshap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
from mqbg.explain.treeshap import fast_trees
from numpy.typing import NDArray

from .rivals import tree_shap

SEED = 7
ROWS, FEATURES, TREES, LEAVES = 20_000, 60, 300, 31
SLOW_ROWS = 2_000  # of those that need milliseconds for a row
REPEATS = 3  # the best counts
ONE_ROW_CALLS = 300

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A contestant's speed, in rows a CPU second, and the largest difference to LightGBM's."""

    name: str
    speed: float
    gap: float


def run(rivals: Sequence[Path]) -> None:
    """Prints a Markdown table of speeds and agreement, and the promises.

    Args:
        rivals: interpreters of other environments, searched in turn for each library.
    """
    x, booster = _world()
    trees = fast_trees(booster)
    start = time.process_time()
    trees.contributions(x[:2])
    print(f"the first explanation, compiling or loading: {time.process_time() - start:.1f} CPU s")

    ours, theirs = _race(
        lambda: trees.predict(x), lambda: booster.predict(x, raw_score=True, num_threads=1)
    )
    scores = [_against("mqbg", ours, theirs, ROWS), _against("LightGBM", theirs, theirs, ROWS)]
    few = x[:SLOW_ROWS]
    mine, lightgbm = _race(
        lambda: trees.contributions(few),
        lambda: booster.predict(few, pred_contrib=True, num_threads=1),
    )
    parts = [
        _against("mqbg", mine, lightgbm, SLOW_ROWS),
        _against("LightGBM", lightgbm, lightgbm, SLOW_ROWS),
    ]
    for library in tree_shap.LIBRARIES:
        parts += _rival(library, rivals, booster, x, lightgbm[1][:, :-1])
    _print("raw score", scores)
    _print("TreeSHAP", parts)
    _print_one_row(booster, x)


def _world() -> tuple[Numbers, lgb.Booster]:
    draw = np.random.default_rng(SEED)
    x = draw.normal(size=(ROWS, FEATURES))
    slope = 0.3 * (x @ draw.normal(size=FEATURES) + x[:, 0] * x[:, 1])
    x[draw.random(x.shape) < 0.05] = np.nan
    y = draw.random(ROWS) < 1 / (1 + np.exp(-slope))
    params = {
        "objective": "binary", "num_leaves": LEAVES, "learning_rate": 0.05, "seed": SEED,
        "num_threads": 1, "verbose": -1,
    }  # fmt: skip
    return x, lgb.train(params, lgb.Dataset(x, y), TREES)


def _race(*contestants: Callable[[], Numbers]) -> list[tuple[float, Numbers]]:
    """CPU seconds of each one's best run, in turns, and its result."""
    best = [np.inf] * len(contestants)
    results = [np.empty(0)] * len(contestants)
    for _ in range(REPEATS):
        for place, contestant in enumerate(contestants):
            start = time.process_time()
            results[place] = contestant()
            best[place] = min(best[place], time.process_time() - start)
    return list(zip(best, results, strict=True))


def _against(
    name: str, found: tuple[float, Numbers], truth: tuple[float, Numbers], rows: int
) -> Measured:
    return Measured(name, rows / found[0], float(np.abs(found[1] - truth[1]).max()))


def _rival(
    library: str, interpreters: Sequence[Path], booster: lgb.Booster, x: Numbers, truth: Numbers
) -> list[Measured]:
    """Runs a library in the first environment that has it; says so where none has."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, data, out = folder / "model.txt", folder / "rows.npy", folder / "out.npy"
        booster.save_model(model)
        # woodelf has a cost for each call, which many rows share.
        np.save(data, x if library == "woodelf" else x[:SLOW_ROWS])
        for python in interpreters or [Path(sys.executable)]:
            command = [
                str(python),
                "-I",
                tree_shap.__file__,
                library,
                *map(str, (model, data, out)),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - named by the caller
            if done.returncode:
                print(f"{library}: failed in {python}: {done.stderr.strip().splitlines()[-1]}")
                continue
            answer = json.loads(done.stdout.splitlines()[-1])
            if "missing" not in answer:
                gap = float(np.abs(np.load(out)[: len(truth)] - truth).max())
                speed = answer["rows"] / answer["cpu_seconds"]
                return [Measured(f"{library} {answer['version']}".strip(), speed, gap)]
    print(f"{library} is not installed")
    return []


def _print(what: str, found: Sequence[Measured]) -> None:
    print(f"\n{TREES} trees of {LEAVES} leaves, {FEATURES} features, one of {os.cpu_count()} cores")
    print(f"\n| {what} | rows/CPU s | mqbg against it | largest difference to LightGBM |")
    print("|---|---:|---:|---:|")
    for one in found:
        ahead = found[0].speed / one.speed
        print(f"| {one.name} | {one.speed:,.0f} | {ahead:.1f} x | {one.gap:.1e} |")


def _print_one_row(booster: lgb.Booster, x: Numbers) -> None:
    trees = fast_trees(booster)
    print(f"\nOne row in a call, mean of {ONE_ROW_CALLS}:")
    for name, call in {
        "mqbg, raw score": trees.predict,
        "LightGBM, raw score": lambda row: booster.predict(row, raw_score=True, num_threads=1),
        "mqbg, TreeSHAP": trees.contributions,
        "LightGBM, TreeSHAP": lambda row: booster.predict(row, pred_contrib=True, num_threads=1),
    }.items():
        start = time.process_time()
        for place in range(ONE_ROW_CALLS):
            call(x[place : place + 1])
        each = (time.process_time() - start) / ONE_ROW_CALLS
        print(f"- {name}: {each * 1e6:.0f} us")
