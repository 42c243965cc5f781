"""LightGBM trees, scored and explained exactly by compiled code; usable with any booster."""

from .compiled_trees import Trees, fast_trees

__all__ = ["Trees", "fast_trees"]
