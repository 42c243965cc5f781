"""What goes wrong with a store, or a disk, that no other input can fix."""

DISK_FULL_MESSAGES = (
    "No space left on device",
    "File too large",
    "Disk quota exceeded",
    "could not extend file",
    "database or disk is full",
)
"""How systems and databases say that there is no room."""


def disk_is_full(error: BaseException) -> bool:
    """Whether an error says so: libraries do not pass the number of the system's error on."""
    return any(message in str(error) for message in DISK_FULL_MESSAGES)


class StoreFailed(RuntimeError):  # noqa: N818 - users meet it as a sentence
    """The store could not be read or written; its text says what happened and what to do.

    Nothing is half-written. Commands print the text and end with exit status 1.
    """
