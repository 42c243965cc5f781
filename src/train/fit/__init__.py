"""How the trees, their calibrator and what goes with them are fitted."""
