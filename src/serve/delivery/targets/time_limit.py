"""A time limit for what knows none of its own, or starts it again with every byte."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def within_seconds(seconds: float, function: Callable[[], Result]) -> Result:
    """What a function returns that knows no time limit of its own.

    Its thread ends with the process at the latest.

    Raises:
        TimeoutError: it has not returned by then.
    """
    results: list[Result] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            results.append(function())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
