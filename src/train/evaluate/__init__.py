"""How good predicted probabilities are: figures, intervals, baselines, segments, signal."""
