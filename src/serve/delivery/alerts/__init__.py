"""Telling sales: a group qualified, fell, or lost whom it rested on."""
