"""Ends reads of a database server that has fallen silent.

The driver waits in C for ever, for a server that was stopped still holds its connections: the
kernel answers for it. A watch looks whether the server answers somebody else, and closes the
connection below the driver where it does not.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

SILENT_SECONDS = 60.0  # without a row before the server is asked whether it answers at all
LONGEST_SECONDS = 2 * 3600 + 600.0  # beyond the limit that the server has for a statement
_DESCRIPTOR_FOLDERS = ("/proc/self/fd", "/dev/fd")


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """A socket of this process.

    Attributes:
        descriptor: by which it is called; the next one may get the same.
        inode: of which each socket has its own.
    """

    descriptor: int
    inode: int


@dataclass(slots=True)
class SilenceWatch:
    """A watch over one connection.

    Attributes:
        sockets: of the connection; where the system does not tell, nothing is watched.
        answers: whether the server answers somebody else; it may take a while to find out.
        silence: why the connection was closed; None where it was not.
    """

    sockets: frozenset[OpenSocket]
    answers: Callable[[], bool]
    silence: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watches over a call of the driver, which fails once the connection is closed."""
        ended = threading.Event()
        if self.sockets:
            threading.Thread(target=self._watch, args=(ended,), daemon=True).start()
        try:
            yield
        finally:
            with self._lock:  # from now on nobody may close what the next call reads
                ended.set()

    def _watch(self, ended: threading.Event) -> None:
        waited = 0.0
        while not ended.wait(SILENT_SECONDS):
            waited += SILENT_SECONDS
            if waited >= LONGEST_SECONDS:
                silence = f"it sent nothing for {waited / 60:,.0f} minutes"
            elif self.answers():
                continue
            else:
                silence = f"it sent nothing for {SILENT_SECONDS:g} s, and answers nobody"
            with self._lock:
                if not ended.is_set():
                    self.silence = silence
                    self._close()
            return

    def _close(self) -> None:
        for one in self.sockets & open_sockets():
            with suppress(OSError), socket.socket(fileno=os.dup(one.descriptor)) as connection:
                connection.shutdown(socket.SHUT_RDWR)


def open_sockets() -> frozenset[OpenSocket]:
    """The sockets of this process; none where the system does not tell."""
    folder = next((name for name in _DESCRIPTOR_FOLDERS if Path(name).is_dir()), None)
    found = set()
    for descriptor in map(int, os.listdir(folder) if folder else ()):
        with suppress(OSError):  # closed by now, as is that of the listing itself
            status = os.fstat(descriptor)
            if stat.S_ISSOCK(status.st_mode):
                found.add(OpenSocket(descriptor, status.st_ino))
    return frozenset(found)
