"""Compiled code is kept where it can be, and does without where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mqbg.support.compiling import compile_kernels, compiled

MODULE = """
from mqbg.support.compiling import compiled

@compiled("int64(int64)")
def twice(x):
    return 2 * x

print(twice(21), sum(twice.stats.cache_hits.values()), sum(twice.stats.cache_misses.values()))
"""


def run(module: Path, cache: Path) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, str(module)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_a_second_process_finds_the_code_of_the_first(tmp_path):
    module = tmp_path / "module.py"
    module.write_text(MODULE)
    assert run(module, tmp_path / "cache") == "42 0 1"
    assert run(module, tmp_path / "cache") == "42 1 0"


def test_code_that_nowhere_can_keep_is_compiled_anew():
    names: dict[str, object] = {}
    source = compile("def twice(x):\n    return 2 * x\n", "<a file that is not there>", "exec")
    exec(source, names)  # noqa: S102 - numba looks for the cache beside the file of a function
    assert compiled("int64(int64)")(names["twice"])(21) == 42  # type: ignore[type-var]


def test_all_kernels_are_compiled_in_advance():
    names = compile_kernels()
    assert {"mqbg.features.engines.numpy.kernel", "mqbg.explain.treeshap.kernels"} <= set(names)
    assert set(names) <= set(sys.modules)
