"""Connections to PostgreSQL that never wait for ever: each step has a time limit on both sides.

The server keeps to its own limits while it lives. One that is stopped, or behind a network that
swallows packets, keeps to none, so the client counts too. Imported only where psycopg is there.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import _WaitTimeout  # psycopg's own, of its `wait`: it has no public name

CONNECT_SECONDS = 20
STATEMENT_SECONDS = 600.0  # a night's rows are copied by one statement
READ_SECONDS = 60.0  # of what answers requests
MARGIN_SECONDS = 10.0  # that the client waits longer than the server is told to work
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^@\s]*@|(?<=password=)('[^']*'|\S+)", re.IGNORECASE)


class LimitedConnection(psycopg.Connection[Any]):
    """A connection whose every wait ends."""

    silence_seconds: float = STATEMENT_SECONDS + MARGIN_SECONDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's, for `silence_seconds` at most; the connection is of no use afterwards.

        Raises:
            psycopg.OperationalError: the server said nothing for so long.
        """
        try:
            return super().wait(gen, interval, self.silence_seconds if timeout is None else timeout)
        except _WaitTimeout:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.silence_seconds:g} s") from None


def connect(
    conninfo: str,
    *,
    lock_seconds: float,
    statement_seconds: float | None = None,
    autocommit: bool = False,
    context: Any = None,
    **parameters: Any,
) -> LimitedConnection:
    """Connects; what the URL or the parameters say themselves about limits wins.

    Args:
        conninfo: a URL, or parameters of libpq.
        lock_seconds: how long a statement waits for another transaction; 0 is no limit.
        statement_seconds: how long a statement may take; None is `STATEMENT_SECONDS`.
        autocommit: each statement by itself.
        context: psycopg's, of how values are adapted.
        parameters: further ones of libpq.

    Raises:
        psycopg.OperationalError: nobody answers, or lets us in.
    """
    statement_seconds = STATEMENT_SECONDS if statement_seconds is None else statement_seconds
    given: dict[str, Any] = conninfo_to_dict(conninfo, **parameters)
    limits = {"statement_timeout": statement_seconds, "lock_timeout": lock_seconds}
    options = " ".join(f"-c {name}={int(1000 * value)}" for name, value in limits.items())
    defaults: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, **KEEPALIVE}
    given = {**defaults, **given, "options": f"{options} {given.get('options') or ''}".strip()}
    connection = LimitedConnection.connect("", autocommit=autocommit, context=context, **given)
    connection.silence_seconds = statement_seconds + MARGIN_SECONDS
    return connection


def shown_reason(error: psycopg.Error) -> str:
    """What the database, or the way to it, said: its first line, without secrets."""
    text = error.diag.message_primary or next(iter(str(error).splitlines()), "")
    return _PASSWORD_IN_URL.sub("***", text.strip()) or type(error).__name__
