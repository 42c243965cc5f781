"""Figures of the "must hold" lines, measured in one run; `make bench` shows them."""
