"""A request of which nobody knows what became."""

from __future__ import annotations


class NoResponse(Exception):  # noqa: N818 - says what is known
    """No answer that tells what became of the request. Its text holds neither URL nor secret.

    Attributes:
        retry_after: seconds that the service asked us to wait, None where it did not.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
