"""Machine code from Python functions, kept on disk where any folder can keep it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(signature: Any = None, **options: Any) -> Callable[[Kernel], Kernel]:
    """Compiles a function with numba, without Python's lock.

    Numba keeps the code beside the package, else in `NUMBA_CACHE_DIR` or the user's cache
    folder. Where none of them can be written to, every process compiles again.

    Args:
        signature: numba's; with it the function compiles when its module is imported. Without,
            it is a part of the kernels that call it.
        options: further ones of `numba.njit`.
    """
    # Numba's own types tell apart what is compiled now and what later; here both are meant.
    njit: Any = numba.njit

    def compile_one(function: Kernel) -> Kernel:
        signatures = () if signature is None else (signature,)
        wanted = options | {"nogil": True, "error_model": "numpy"}
        try:
            kernel: Kernel = njit(*signatures, cache=True, **wanted)(function)
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
            kernel = njit(*signatures, **wanted)(function)
        return kernel

    return compile_one


def compile_kernels() -> list[str]:
    """Compiles what is compiled on import, so that no later process has to.

    Returns:
        Names of the modules.
    """
    package = Path(__file__).parents[1]
    paths = [
        path for path in sorted(package.rglob("*.py")) if "@compiled(" in path.read_text("utf-8")
    ]
    names = [".".join(("mqbg", *path.relative_to(package).with_suffix("").parts)) for path in paths]
    for name in names:
        import_module(name)
    return names
