"""Any LightGBM booster's raw score and TreeSHAP, by compiled code where it covers the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .forest import LINEAR, Forest, UnsupportedTreesError, parse_forest, stack_forests
from .layout import Floats
from .packed_trees import pack_trees
from .quadrature import quadrature

if TYPE_CHECKING:
    import lightgbm as lgb


class Trees(Protocol):
    """Raw scores and contributions of one model."""

    @property
    def reason(self) -> str | None:
        """Why LightGBM itself does the work; None where compiled code does."""
        ...

    def predict(self, x: NDArray[Any], threads: int = 1) -> Floats:
        """Raw score as of `Booster.predict(x, raw_score=True)`, the same to the last bit.

        Args:
            x: shape (rows, features); numbers, NaN where missing, codes of categories. Read as
                float64.
            threads: to use; the result does not depend on it.

        Returns:
            Shape (rows,), or (rows, classes) of a model of several classes.

        Raises:
            TypeError: x is not a numpy array of numbers.
            ValueError: x has another shape, or threads is below 1.
        """
        ...

    def contributions(self, x: NDArray[Any], threads: int = 1) -> Floats:
        """TreeSHAP as of `Booster.predict(x, pred_contrib=True)`, to 1e-9.

        Arguments and errors are those of `predict`.

        Returns:
            Shape (rows, features + 1): what each feature adds to the raw score, and last the
            model's mean; of a model of several classes this many for each, one after the other.
        """
        ...


def fast_trees(booster: lgb.Booster) -> Trees:
    """The trees of a booster up to its best iteration, ready to score and to explain quickly.

    `trees = fast_trees(booster)`, then `trees.predict(x)` and `trees.contributions(x)`. Numba
    compiles at the first use on a machine, for some seconds, and keeps the code for later
    processes. LightGBM itself scores linear trees, which nobody explains, and does all the work
    for models without counts of training rows; `reason` says so then.
    """
    try:
        return CompiledTrees(parse_forest(booster.model_to_string()))
    except UnsupportedTreesError as why:
        return LightGBMTrees(booster, str(why))


def compile_model_text(text: str) -> Trees:
    """`fast_trees` of a model's text; LightGBM is imported only for what the kernels do not cover.

    Args:
        text: as `Booster.model_to_string` writes it.
    """
    try:
        return CompiledTrees(parse_forest(text))
    except UnsupportedTreesError as why:
        import lightgbm as lgb

        return LightGBMTrees(lgb.Booster(model_str=text), str(why))


def compile_model_texts(texts: Sequence[str]) -> CompiledTrees | None:
    """Models over the same features as one that scores all of them in one call.

    A call costs as much as the trees of a few rows.

    Args:
        texts: as `Booster.model_to_string` writes them, each of one class.

    Returns:
        Their trees, whose `predict` has shape (rows, models), or (rows,) of one; None where there
        are none, or the kernels do not cover one of them.
    """
    if not texts:
        return None
    try:
        return CompiledTrees(stack_forests([parse_forest(text) for text in texts]))
    except UnsupportedTreesError:
        return None


@dataclass(frozen=True, eq=False)
class CompiledTrees:
    """Trees that the kernels cover; see `Trees`."""

    forest: Forest
    reason: None = None

    def predict(self, x: NDArray[Any], threads: int = 1) -> Floats:
        """See `Trees.predict`."""
        rows = _checked_matrix(x, self.forest.features, threads)
        out = np.empty((len(rows), self.forest.outputs))
        predict, arrays, block_rows = self._predictor

        def score(part: slice) -> None:
            predict(rows[part], *arrays, out[part])

        _run_in_blocks(score, len(rows), block_rows, threads)
        return out[:, 0] if self.forest.outputs == 1 else out

    def contributions(self, x: NDArray[Any], threads: int = 1) -> Floats:
        """See `Trees.contributions`."""
        from . import kernels

        rows, forest = _checked_matrix(x, self.forest.features, threads), self.forest
        out = np.empty((len(rows), forest.outputs, forest.features + 1))
        out[:, :, -1] = forest.expected
        max_points = int(forest.trees["points"].max(initial=0))
        max_nodes = int(forest.trees["nodes"].max(initial=0))
        shared = (
            forest.trees, forest.nodes, forest.words, forest.leaves, *quadrature(max_points),
            max_nodes,
        )  # fmt: skip

        def explain(part: slice) -> None:
            kernels.contributions(rows[part], *shared, out[part, :, :-1])

        _run_in_blocks(explain, len(rows), kernels.BLOCK_ROWS, threads)
        return out.reshape(len(rows), forest.outputs * (forest.features + 1))

    @cached_property
    def _predictor(self) -> tuple[Callable[..., None], tuple[NDArray[Any], ...], int]:
        """The kernel that scores, its arrays, and the rows of a block."""
        if packed := pack_trees(self.forest):
            from . import packed_kernel

            return packed_kernel.predict, tuple(vars(packed).values()), packed_kernel.BLOCK_ROWS
        from . import kernels

        forest = self.forest
        arrays = forest.trees, forest.nodes, forest.words, forest.leaves, forest.slots
        return _compile_predict(), arrays, kernels.BLOCK_ROWS


@cache
def _compile_predict() -> Callable[..., None]:
    from ...support.compiling import compiled
    from . import kernels

    return compiled(kernels.PREDICT)(kernels.predict)


@dataclass(frozen=True, eq=False)
class LightGBMTrees:
    """A model that the kernels do not cover, done by LightGBM; see `Trees`."""

    booster: lgb.Booster
    reason: str

    def predict(self, x: NDArray[Any], threads: int = 1) -> Floats:
        """See `Trees.predict`."""
        return self._predict(x, threads, raw_score=True)

    def contributions(self, x: NDArray[Any], threads: int = 1) -> Floats:
        """See `Trees.contributions`.

        Raises:
            ValueError: the trees are linear, or x is not as for `predict`.
        """
        if self.reason == LINEAR:
            raise ValueError(
                f"contributions: expected trees with constant leaves, but {LINEAR}, which "
                "LightGBM cannot explain either; train without linear_tree"
            )
        return self._predict(x, threads, pred_contrib=True)

    def _predict(self, x: NDArray[Any], threads: int, **options: bool) -> Floats:
        rows = _checked_matrix(x, self.booster.num_feature(), threads)
        found = self.booster.predict(rows, num_threads=threads, **options)
        return np.asarray(found, dtype=np.float64)


def _checked_matrix(x: NDArray[Any], features: int, threads: int) -> Floats:
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiub":
        got = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"x: expected a numpy array of numbers, got {got}; convert it first")
    if x.ndim != 2 or x.shape[1] != features:
        raise ValueError(
            f"x: expected shape (rows, {features}), got {x.shape}; give the model's features as "
            "columns, in its order"
        )
    if threads < 1:
        raise ValueError(f"threads: expected 1 or more, got {threads}")
    return x.astype(np.float64, copy=False)


def _run_in_blocks(work: Callable[[slice], None], rows: int, block: int, threads: int) -> None:
    """Runs `work` on whole blocks, so that a row is worked on alike for any number of threads."""
    blocks = -(-rows // block)
    workers = max(1, min(threads, blocks))
    rows_per_worker = -(-blocks // workers) * block
    parts = [
        slice(start, start + rows_per_worker) for start in range(0, rows, max(rows_per_worker, 1))
    ]
    if len(parts) < 2:
        work(slice(0, rows))
        return
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(work, parts))
