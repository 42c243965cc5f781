"""Connections that ask nothing, too slowly, or read nothing: they never keep others out."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import httpx
import pytest
from mqbg.contract import BadInput
from mqbg.serve.api import connections, server_state
from mqbg.serve.api.connections import create_http_server
from mqbg.serve.api.keys import KeyRing, load_keys
from mqbg.settings import ApiSettings

HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
PATIENCE = 60.0  # seconds that a test waits for what takes less than one
SERVER = """
import resource, socket, sys
from mqbg.serve.api.connections import create_http_server
from mqbg.settings import ApiSettings

resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
server = create_http_server(app, ApiSettings(header_seconds=float(sys.argv[2])))
server.config.lifespan = "off"
server.run(sockets=[listener])
"""


def open_line(client):
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=PATIENCE)


def is_closed(line):
    """Reads what is left until the other side closes."""
    try:
        while line.recv(4000):
            pass
        return True
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"", HALF, b"GET"])
def test_a_connection_that_does_not_ask_in_time_is_closed(client_of, with_limits, sent):
    with client_of(with_limits(header_seconds=0.2)) as client, open_line(client) as line:
        line.sendall(sent)
        assert is_closed(line)


def test_the_limit_counts_from_the_first_byte_after_an_answer_and_not_from_each(
    client_of, with_limits
):
    with client_of(with_limits(header_seconds=0.3)) as client, open_line(client) as line:
        line.sendall(HALF + b"\r\n")
        assert b" 200 " in line.recv(2000)
        line.settimeout(0.05)
        until, ended = time.monotonic() + PATIENCE, False
        while not ended and time.monotonic() < until:
            with contextlib.suppress(TimeoutError, BlockingIOError):
                try:
                    line.sendall(b"G")  # one byte at a time, faster than any idle limit
                    ended = line.recv(100) == b""
                except (ConnectionResetError, BrokenPipeError):
                    ended = True
        assert ended


def test_a_body_that_nobody_reads_does_not_keep_a_connection(client_of, with_limits, keys):
    """A stranger is refused at once, and may not go on sending for ever."""
    with client_of(with_limits(header_seconds=0.2), keys) as client, open_line(client) as line:
        line.sendall(
            b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert b" 401 " in line.recv(4000)
        line.sendall(b" ")
        assert is_closed(line)


def test_the_one_that_waited_longest_gives_its_place_to_who_asks(client_of, with_limits):
    limits = with_limits(max_connections=3, header_seconds=PATIENCE)
    with client_of(limits) as client, ExitStack() as stack:
        lines = [stack.enter_context(open_line(client)) for _ in range(3)]
        for line in lines:
            line.sendall(HALF)
        assert httpx.get(f"{client.base_url}/healthz").status_code == 200
        assert is_closed(lines[0])
        lines[2].sendall(b"\r\n")
        assert b" 200 " in lines[2].recv(2000)


def test_requests_under_way_keep_their_places(client_of, with_limits, keys, bearer):
    limits = with_limits(max_connections=2, header_seconds=PATIENCE)
    head = f"Authorization: {bearer('scorer')['Authorization']}\r\nHost: localhost\r\n"
    with client_of(limits, keys) as client, ExitStack() as stack:
        busy = [stack.enter_context(open_line(client)) for _ in range(2)]
        for line in busy:
            line.sendall(
                f"POST /v1/score HTTP/1.1\r\n{head}Expect: 100-continue\r\n"
                "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n".encode()
            )
            assert b" 100 " in line.recv(2000)  # its body is being read
        with open_line(client) as late:
            assert is_closed(late)
        for line in busy:
            line.sendall(b"{}")
            assert b" 422 " in line.recv(4000)


def test_too_few_descriptors_are_refused_with_the_setting_to_raise(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (100, 100))
    with pytest.raises(BadInput, match="LimitNOFILE"):
        create_http_server(lambda *_: None, ApiSettings())


def test_there_are_no_more_connections_than_descriptors_allow(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (300, 300))
    server = create_http_server(lambda *_: None, ApiSettings(max_connections=5000))
    assert server.config.http.table.most == 300 - connections.RESERVED_DESCRIPTORS


@pytest.mark.slow
def test_a_flood_of_half_open_connections_neither_stops_the_server_nor_fills_its_log(tmp_path):
    """As many again as it has descriptors; benchmarks/flood.py does it at full size."""
    log = tmp_path / "log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-c", SERVER, "256", "5"], stdout=subprocess.PIPE, stderr=errors
        ) as server,
        ExitStack() as stack,
    ):
        try:
            port = int(server.stdout.readline())
            until = time.monotonic() + 8
            while time.monotonic() < until:
                line = stack.enter_context(socket.socket())
                line.settimeout(1)
                with contextlib.suppress(OSError):
                    line.connect(("127.0.0.1", port))
                    line.sendall(HALF)
                time.sleep(0.01)
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE).text == "here"
            assert log.stat().st_size < 10_000
        finally:
            server.terminate()


@pytest.fixture
def keys_file(tmp_path, keys):
    """A file with the keys."""
    file = tmp_path / "keys"
    file.write_text("".join(f"{k.name} {'+'.join(k.scopes)} {k.digest}\n" for k in keys.keys))
    return file


def test_a_key_that_its_file_lost_is_refused_at_the_next_look(
    client_of, with_limits, keys_file, bearer
):
    limits = with_limits(keys_file=str(keys_file), refresh_seconds=PATIENCE)
    with client_of(limits, load_keys(limits.api, {})) as client:
        assert client.get("/v1/model", headers=bearer("reader")).status_code == 200
        keys_file.write_text("")
        client.standing.refresh_now()  # as SIGHUP does
        until = time.monotonic() + PATIENCE
        while client.get("/v1/model", headers=bearer("reader")).status_code == 200:
            assert time.monotonic() < until
        assert client.get("/v1/model").status_code == 401  # and not open to everybody


def test_a_revoked_key_is_refused_soon_however_seldom_the_settings_look(
    client_of, with_limits, keys_file, bearer, monkeypatch
):
    assert server_state.LONGEST_REFRESH_SECONDS <= 60
    monkeypatch.setattr(server_state, "LONGEST_REFRESH_SECONDS", 0.05)
    limits = with_limits(keys_file=str(keys_file), refresh_seconds=3600.0)
    with client_of(limits, load_keys(limits.api, {})) as client:
        assert client.get("/v1/model", headers=bearer("reader")).status_code == 200
        keys_file.write_text("")
        until = time.monotonic() + PATIENCE
        while client.get("/v1/model", headers=bearer("reader")).status_code != 401:
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.fixture
def served(small_champion, keys_file, tmp_path):
    """`mqbg serve` in a process of its own, with the file of keys and an hour between looks."""
    settings, log = tmp_path / "served.toml", tmp_path / "log"
    settings.write_text(
        (small_champion / "mqbg.toml").read_text()
        + f'\n[api]\nkeys_file = "{keys_file}"\nrefresh_seconds = 3600.0\nprocesses = 1\n'
    )
    code = "from mqbg.commands.app import main; main()"
    unset = {"MLFLOW_TRACKING_URI", "MQBG_API_KEYS"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-c", code, "serve", "--port", "0", "--config", settings],
            cwd=small_champion,
            env={**environment, "MQBG_STORE_URL": ""},
            stderr=errors,
        ) as process,
    ):
        try:
            until = time.monotonic() + 120
            while not (found := re.search(r"(http://\S+) answers with", log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until
                time.sleep(0.05)
            # What asks before it listens waits for it.
            with httpx.Client(base_url=found[1], timeout=PATIENCE) as asking:
                yield process, asking
        finally:
            process.terminate()


@pytest.mark.slow
def test_sighup_makes_a_server_read_its_file_of_keys(served, keys_file, bearer):
    process, client = served
    until = time.monotonic() + server_state.LONGEST_REFRESH_SECONDS / 2  # it would look by itself
    assert client.get("/v1/model", headers=bearer("reader")).status_code == 200
    keys_file.write_text("")
    process.send_signal(signal.SIGHUP)
    while client.get("/v1/model", headers=bearer("reader")).status_code != 401:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert process.poll() is None


def test_a_file_of_keys_that_cannot_be_read_leaves_those_of_before(tmp_path, keys, caplog):
    settings = ApiSettings(keys_file=str(tmp_path / "gone"))
    ring = KeyRing(keys, settings, {})
    assert not ring.refresh()
    assert ring.keys == keys
    assert "the keys of before stay" in caplog.text
