"""The HTTP API: the batch's own scores, one group at a time, and what the store keeps of them."""
