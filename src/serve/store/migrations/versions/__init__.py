"""One module for each revision; each freezes what it makes, so later code cannot change it."""
