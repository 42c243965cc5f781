"""The trained thing: trees, calibrators, thresholds, the bundle that holds them, the registry."""
