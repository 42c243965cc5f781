"""A flood of half-open connections: does the server answer, and how long is its log?"""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

CONNECTIONS, FILES, SECONDS = 1_500, 1_024, 120.0
HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
SERVER = """
import resource, socket, sys
from mqbg.serve.api.connections import create_http_server
from mqbg.settings import ApiSettings

resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
server = create_http_server(app, ApiSettings())
server.config.lifespan = "off"
server.run(sockets=[listener])
"""


def run() -> None:
    """Keeps connections half open for two minutes, opening each again when it is closed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(CONNECTIONS + 500, most), most))
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        with (
            log.open("wb") as errors,
            subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-c", SERVER, str(FILES)], stdout=subprocess.PIPE, stderr=errors
            ) as server,
        ):
            try:
                assert server.stdout is not None  # noqa: S101 - of Popen, for mypy
                _measure(int(server.stdout.readline()), log)
            finally:
                server.terminate()


def _measure(port: int, log: Path) -> None:
    lines: list[socket.socket] = []
    opened, during = 0, []
    until, next_look = time.monotonic() + SECONDS, time.monotonic() + 10
    while time.monotonic() < until:
        lines = [line for line in lines if _is_open(line)]
        while len(lines) < CONNECTIONS and time.monotonic() < until:
            line = socket.socket()
            line.settimeout(0.5)
            with contextlib.suppress(OSError):
                line.connect(("127.0.0.1", port))
                line.sendall(HALF)
            lines.append(line)
            opened += 1
        if time.monotonic() > next_look:
            during.append(_answered(port))
            next_look = time.monotonic() + 10
    for line in lines:
        line.close()
    print(f"{CONNECTIONS:,} half-open connections for {SECONDS:g} s, {FILES:,} files; opened "
          f"{opened:,} times")  # fmt: skip
    print(f"/healthz during it, s: {', '.join(f'{one:.2f}' for one in during)}")
    print(f"/healthz afterwards: {_answered(port):.3f} s; log {log.stat().st_size:,} bytes")


def _is_open(line: socket.socket) -> bool:
    line.setblocking(False)
    try:
        return line.recv(100) != b""
    except BlockingIOError:
        return True
    except OSError:
        line.close()
        return False


def _answered(port: int) -> float:
    begun = time.perf_counter()
    with contextlib.suppress(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=30).raise_for_status()
        return time.perf_counter() - begun
    return float("nan")
