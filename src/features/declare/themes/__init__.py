"""The catalogue's features, a module for each theme; every one has `features(vocabulary)`."""
