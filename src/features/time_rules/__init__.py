"""The rules of time: what was known before a cut-off, and which groups were open at it."""
