"""What `mqbg serve` refuses before it listens; that it serves, test_docs.py shows."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import pytest
from mqbg.commands.app import main


@pytest.fixture
def serve(monkeypatch, capfd, tmp_path):
    """`serve(...)`: the status and the words of a command that ends by itself."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MQBG_API_KEYS", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["mqbg", "serve", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return SimpleNamespace(status=ended.value.code, err=capfd.readouterr().err)

    return run


def refused(ran, *says):
    assert ran.status == 2
    for part in says:
        assert part in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - refused
def test_an_address_that_others_reach_needs_keys(serve, host):
    refused(serve("--host", host), host, "MQBG_API_KEYS")


def test_keys_that_cannot_be_read_are_refused(serve, monkeypatch):
    monkeypatch.setenv("MQBG_API_KEYS", "someone:read:short")
    refused(serve(), "MQBG_API_KEYS, key 1", "openssl rand")


def test_a_port_that_is_taken_is_refused(serve):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused(serve("--port", port), str(port), "--port")


def test_without_a_model_it_does_not_start(serve):
    refused(serve("--port", 0), "mqbg train")


def test_two_kinds_of_pages_are_refused(serve, tmp_path):
    refused(serve("--pages", tmp_path, "--data", tmp_path), "--pages or --data")


def test_a_misspelt_limit_is_refused_with_the_nearest_one(serve, tmp_path):
    (tmp_path / "mqbg.toml").write_text("[api]\nmax_member = 3\n")
    refused(serve(), "max_members")


@pytest.mark.parametrize(
    "line", ["max_members = 0", "body_seconds = 0.0", "waiting = -1", "max_depth = 1000"]
)
def test_a_limit_that_cannot_be_meant_is_refused(serve, tmp_path, line):
    (tmp_path / "mqbg.toml").write_text(f"[api]\n{line}\n")
    refused(serve(), "[api]", line.split()[0])
