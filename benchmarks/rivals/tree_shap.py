"""TreeSHAP by another library, run by an interpreter that has it; imports nothing of ours.

Usage: python -I tree_shap.py LIBRARY MODEL.txt ROWS.npy OUT.npy
Prints one JSON line: rows, CPU seconds and version, or the module that is missing.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

LIBRARIES = ("shap", "woodelf", "fasttreeshap")


def explainer(library: str, module: Any, booster: Any) -> Callable[[Any], Any]:
    """What the library's own guide says for path-dependent SHAP values of a booster."""
    if library == "woodelf":
        woodelf = module.WoodelfExplainer(booster)
        return lambda rows: woodelf.shap_values(rows, verbose=False)
    if library == "fasttreeshap":
        fast = module.TreeExplainer(booster, algorithm="auto", n_jobs=1)
        return lambda rows: fast(rows, check_additivity=False).values
    return module.TreeExplainer(booster).shap_values


def main() -> None:
    """Explains the rows twice and times the second run, without threads."""
    library, model, data, out = sys.argv[1:]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    warnings.simplefilter("ignore")
    try:
        module = importlib.import_module(library)
        lgb = importlib.import_module("lightgbm")
        np = importlib.import_module("numpy")
        pd = importlib.import_module("pandas")
    except ImportError as error:
        print(json.dumps({"missing": error.name}))
        return
    booster, rows = lgb.Booster(model_file=model, params={"num_threads": 1}), np.load(data)
    booster.params["objective"] = "binary"
    explain = explainer(library, module, booster)
    given = pd.DataFrame(rows, columns=booster.feature_name()) if library == "woodelf" else rows
    explain(given[:64])
    start = time.process_time()
    found = explain(given)
    seconds = time.process_time() - start
    np.save(out, np.asarray(found[-1] if isinstance(found, list) else found, dtype=float))
    version = getattr(module, "__version__", "")
    print(json.dumps({"rows": len(rows), "cpu_seconds": seconds, "version": version}))


if __name__ == "__main__":
    main()
