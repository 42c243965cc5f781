"""Secrets: from the environment alone."""

from __future__ import annotations

import os

from ....contract import BadInput


def read_secret(variable: str, what: str) -> str:
    """The value of an environment variable; no message ever shows it.

    Args:
        variable: its name.
        what: it holds, for the message.

    Raises:
        BadInput: it is not set, or holds what no secret holds.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        raise BadInput(
            f"push: expected {what} in the environment variable {variable}, which is not set; set "
            "it, or name another variable in the settings"
        )
    if not (value.isascii() and value.isprintable()):
        raise BadInput(
            f"push: expected {what} in the environment variable {variable}, got a value with line "
            "breaks or letters beyond ASCII; set it to the secret alone"
        )
    return value


def read_secret_url(variable: str, what: str) -> str:
    """The same for a web address, which may be a secret as a whole.

    Raises:
        BadInput: it is not set, or no http(s) address.
    """
    value = read_secret(variable, what)
    if not value.startswith(("https://", "http://")):
        raise BadInput(
            f"push: expected {what} in the environment variable {variable}, beginning with "
            "https://, got something else; set it to the whole address"
        )
    return value
