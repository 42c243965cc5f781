"""The file name of a group's page, which reports write and pushes link to."""

from __future__ import annotations

import hashlib
import re


def page_name(group_id: str) -> str:
    """A file name that any system takes, different for every group_id."""
    slug = re.sub(r"[^a-z0-9]+", "-", group_id.lower())[:40].strip("-")
    digest = hashlib.sha256(group_id.encode()).hexdigest()[:12]
    return f"{slug or 'group'}-{digest}.html"
