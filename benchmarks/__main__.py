"""Runs every benchmark, or those named: `python -m benchmarks [congress] [world] [simulate]`."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path

from . import congress, speed, world

BENCHMARKS = {"simulate": speed.run, "world": world.run, "congress": congress.run}


def main() -> None:
    """Prints the machine, then each benchmark's figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*BENCHMARKS, []], help="default: all")
    shared = Path(__file__).resolve().parents[2] / "shared" / "data" / "congress110"
    parser.add_argument("--congress", type=Path, default=shared, help="the congress110 tables")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}")
    for name in arguments.name or BENCHMARKS:
        print(f"\n== {name}")
        BENCHMARKS[name](arguments.congress)


if __name__ == "__main__":
    main()
