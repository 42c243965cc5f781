"""What changed between two scores of one group."""
