"""Learns the model, its calibration and its thresholds, and says how good they are."""
