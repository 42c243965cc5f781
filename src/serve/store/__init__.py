"""What a batch leaves behind for those who come later: scores, states and their history."""
