"""What a browser may load for a page: our style, our script, our images, and nothing else."""

from __future__ import annotations

_DENY_ALL = "default-src 'none'"
_NO_BASE_OR_FORMS = "base-uri 'none'; form-action 'none'"

POLICY = (
    f"{_DENY_ALL}; style-src 'self'; script-src 'self'; img-src 'self' data:; {_NO_BASE_OR_FORMS}"
)
"""The header `Content-Security-Policy` of pages that are served."""

# Browsers differ in whether 'self' is anything at all for a page that was opened from a folder.
# On a page that came from a server the second source names nothing that could be loaded.
PAGE_POLICY = (
    f"{_DENY_ALL}; style-src 'self' file:; script-src 'self' file:; img-src 'self' file: data:; "
    f"{_NO_BASE_OR_FORMS}"
)
"""The same in the pages' own words, for those that open without a server."""
