"""Limits of connections that uvicorn lacks: how many, and how long one may take to ask or to read.

A connection that asks nothing, or one byte a minute, costs a file descriptor; a process that has
none left can take no connection at all.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...contract import BadInput
from ...settings import ApiSettings

LOGGER = logging.getLogger("mqbg.serve")

ACCEPTED_AT_ONCE = 64  # connections that the event loop takes before it looks at any of them
LISTEN_QUEUE = 512  # connections that wait in the kernel to be taken
RESERVED_DESCRIPTORS = 64 + 2 * ACCEPTED_AT_ONCE
"""Of files, the store, engines and sockets that are just being opened or closed."""
FEWEST_CONNECTIONS = 16
WRITE_SECONDS = 30.0  # that a client may leave a full buffer unread
SHUTDOWN_TIMEOUT_SECONDS = 30  # that requests under way have when the server is told to stop
COMPLAINT_SECONDS = 60.0  # between two lines of log about one kind of trouble of the event loop


@dataclass
class ConnectionTable:
    """The open connections of one server.

    Attributes:
        most: that may be open.
        header_seconds: from the first moment that a request could come to the end of its headers.
        open: all of them.
        waiting: those without a request under way, the longest waiting first.
    """

    most: int
    header_seconds: float
    open: set[LimitedConnection] = field(default_factory=set)
    waiting: dict[LimitedConnection, None] = field(default_factory=dict)


class LimitedConnection(H11Protocol):
    """A connection of uvicorn that is closed when it takes too long, or when others need its place.

    Under an attack the one that has waited longest for its request goes, so that a client who asks
    at once is answered.
    """

    table: ConnectionTable  # of the class that `_protocol_class` makes for one server

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes a place, or that of the connection which has waited longest."""
        super().connection_made(transport)
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self.table.open.add(self)
        self._wait_for_request()
        self._start_header_timer()
        if len(self.table.open) > self.table.most:
            next(iter(self.table.waiting))._abort()

    def data_received(self, data: bytes) -> None:
        """Reads on; the time limit begins with the first byte after an answer."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self.table.waiting.pop(self, None)
            self._stop_header_timer()
        elif self._header_timer is None and not self.transport.is_closing():
            self._start_header_timer()

    def on_response_complete(self) -> None:
        """Waits for the next request; uvicorn closes what stays idle."""
        self._wait_for_request()
        super().on_response_complete()
        if self.cycle is not None and not self.cycle.response_complete:  # one came pipelined
            self.table.waiting.pop(self, None)

    def pause_writing(self) -> None:
        """A client that does not read what it asked for has `WRITE_SECONDS`."""
        super().pause_writing()
        self._stop_write_timer()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self._abort)

    def resume_writing(self) -> None:
        """It reads again."""
        self._stop_write_timer()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Closes an idle connection, and one whose client never reads the rest at once."""
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives the place back."""
        self._leave()
        super().connection_lost(exc)

    def _wait_for_request(self) -> None:
        self.table.waiting.pop(self, None)
        if self in self.table.open:
            self.table.waiting[self] = None

    def _start_header_timer(self) -> None:
        self._header_timer = self.loop.call_later(self.table.header_seconds, self._abort)

    def _abort(self) -> None:
        self._leave()
        self.transport.abort()

    def _leave(self) -> None:
        self.table.open.discard(self)
        self.table.waiting.pop(self, None)
        self._stop_header_timer()
        self._stop_write_timer()

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def _protocol_class(table: ConnectionTable) -> type[H11Protocol]:
    """The class whose instances uvicorn makes of connections, all of one table."""
    return type("ServerConnection", (LimitedConnection,), {"table": table})


class HttpServer(uvicorn.Server):
    """A server of uvicorn whose listening sockets keep a queue that is longer than one take."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen."""
        asyncio.get_running_loop().set_exception_handler(_log_now_and_then())
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(LISTEN_QUEUE)


def create_http_server(app: ASGIApp, settings: ApiSettings) -> HttpServer:
    """A server with all limits of the settings.

    Args:
        app: what answers.
        settings: [api] max_connections and header_seconds are read.

    Raises:
        BadInput: this process may open too few files.
    """
    most = min(settings.max_connections, _affordable_connections())
    # What a stranger sends wrong is answered with 400, and a line each would fill the disk.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return HttpServer(
        uvicorn.Config(
            app,
            http=_protocol_class(ConnectionTable(most, settings.header_seconds)),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing here depends on who asked through which proxy
            lifespan="on",
            backlog=ACCEPTED_AT_ONCE,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_SECONDS,
        )
    )


def _affordable_connections() -> int:
    """How many connections the limit of open files leaves room for."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    if soft < RESERVED_DESCRIPTORS + FEWEST_CONNECTIONS:
        raise BadInput(
            f"serve: expected a limit of {RESERVED_DESCRIPTORS + FEWEST_CONNECTIONS} open files or "
            f"more, got {soft}; raise it with `ulimit -n` or LimitNOFILE"
        )
    return soft - RESERVED_DESCRIPTORS


def _log_now_and_then() -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """A handler that logs each kind of trouble once in a while.

    An event loop that has no descriptors left tries again at once and complains each time.
    """
    last_logged: dict[str, float] = {}

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        message = str(context.get("message", "trouble of the event loop"))
        now = loop.time()
        if now - last_logged.get(message, float("-inf")) < COMPLAINT_SECONDS:
            return
        last_logged[message] = now
        cause = type(context.get("exception")).__name__
        LOGGER.error("%s (%s); once a minute at most", message, cause)

    return handle
