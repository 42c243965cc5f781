"""What is computed at a cut-off: member signals, group facts, the feature table."""
