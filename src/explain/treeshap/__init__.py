"""LightGBM trees, scored and explained exactly by compiled code; usable with any booster."""

from .compiled_regressions import add_regressions
from .compiled_trees import Trees, compile_model_text, compile_model_texts, fast_trees

__all__ = ["Trees", "add_regressions", "compile_model_text", "compile_model_texts", "fast_trees"]
