"""What a browser may load for a page: our style, our script, our images, and nothing else."""

from __future__ import annotations

_SHUT = "default-src 'none'"
_ENDS = "base-uri 'none'; form-action 'none'"

POLICY = f"{_SHUT}; style-src 'self'; script-src 'self'; img-src 'self' data:; {_ENDS}"
"""The header `Content-Security-Policy` of pages that are served."""

# Browsers differ in whether 'self' is anything at all for a page that was opened from a folder.
# On a page that came from a server the second source names nothing that could be loaded.
IN_PAGES = (
    f"{_SHUT}; style-src 'self' file:; script-src 'self' file:; img-src 'self' file: data:; {_ENDS}"
)
"""The same in the pages' own words, for those that open without a server."""
