"""Runs every benchmark, or those named: `python -m benchmarks [congress] [features] ...`."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from pathlib import Path

from . import (
    api,
    believed,
    check,
    congress,
    crash,
    cut,
    features,
    flood,
    fuzz,
    game,
    identity,
    intervals,
    junk,
    lookup,
    nights,
    push,
    speed,
    startup,
    store,
    trees,
    who,
    world,
)
from .feature_data import SIZES

BENCHMARKS: dict[str, Callable[[argparse.Namespace], None]] = {
    "lookup": lambda arguments: lookup.run(arguments.congress),
    "startup": lambda _given: startup.run(),
    "check": lambda _given: check.run(),
    "simulate": lambda given: speed.run(given.congress),
    "world": lambda given: world.run(given.congress),
    "congress": lambda given: congress.run(given.congress),
    "cut": lambda given: cut.run(given.congress),
    "rival": lambda given: believed.rival(given.congress),
    "noise": lambda given: believed.noise(given.congress),
    "intervals": lambda given: intervals.run(given.worlds),
    "training": lambda given: believed.training(given.congress),
    "features": lambda given: features.run(given.rows, given.scratch, given.featuretools_python),
    "game": lambda given: game.run(given.congress),
    "identity": lambda given: identity.run(given.contacts),
    "who": lambda given: who.run(given.congress),
    "nights": lambda _given: nights.run(),
    "push": lambda _given: push.run(),
    "crash": lambda _given: crash.run(),
    "store": lambda _given: store.run(),
    "api": lambda _given: api.run(),
    "together": lambda _given: api.together(),
    "fuzz": lambda _given: fuzz.run(),
    "flood": lambda _given: flood.run(),
    "junk": lambda _given: junk.run(),
    "trees": lambda given: trees.run(given.rivals_python),
}


def main() -> None:
    """Prints the machine, then each benchmark's figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*BENCHMARKS, []], help="default: all")
    shared = Path(__file__).resolve().parents[2] / "shared" / "data" / "congress110"
    parser.add_argument("--congress", type=Path, default=shared, help="the congress110 tables")
    parser.add_argument(
        "--rows", nargs="+", choices=SIZES, default=["1m", "10m"], help="activities of `features`"
    )
    parser.add_argument("--worlds", type=int, default=20, help="small worlds of `intervals`")
    parser.add_argument(
        "--contacts", type=int, default=1_000_000, help="records of people of `identity`"
    )
    parser.add_argument("--scratch", type=Path, help="keeps the data of `features` between runs")
    parser.add_argument(
        "--featuretools-python", type=Path, help="an interpreter that has featuretools"
    )
    parser.add_argument(
        "--rivals-python",
        nargs="+",
        type=Path,
        default=[],
        help="interpreters that have shap, woodelf or fasttreeshap, for `trees`",
    )
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}")
    for name in arguments.name or BENCHMARKS:
        print(f"\n== {name}")
        BENCHMARKS[name](arguments)


if __name__ == "__main__":
    main()
