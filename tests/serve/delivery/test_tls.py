"""Certificates: an unknown authority stops a target, one that SSL_CERT_FILE names does not."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mqbg.serve.delivery.targets.endpoint import endpoint_of
from mqbg.serve.delivery.targets.open_target import open_target
from mqbg.serve.delivery.targets.target import TargetUnavailable
from mqbg.settings import Settings
from mqbg.settings.delivery import HubSpotSettings, PushSettings

PORTAL = 4711


class Account(BaseHTTPRequestHandler):
    """HubSpot, as far as it says whose token it was given."""

    def do_GET(self):
        body = json.dumps({"portalId": PORTAL}).encode()
        self.send_response(200 if self.path == "/account-info/2026-03/details" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Says nothing."""


@contextmanager
def account(context=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Account)
    server.handle_error = lambda *_arguments: None  # of handshakes that are refused
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http{'s' if context else ''}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of localhost that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "3650", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", folder / "key", "-out", folder / "cert"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def settings(url, portal_id=str(PORTAL)):
    hubspot = HubSpotSettings(url=url, portal_id=portal_id, tries=1, timeout_seconds=30.0)
    return Settings(push=PushSettings(hubspot=hubspot))


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("MQBG_HUBSPOT_TOKEN", "token")


def opened(settings):
    with open_target("hubspot", settings, unix_clock=lambda: 0.0):
        return True


@pytest.fixture(scope="module")
def context(certificate):
    """What a server of that certificate shows."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(certificate / "cert", certificate / "key")
    return found


def test_a_certificate_of_another_name_is_named(certificate, context, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert"))
    with (
        account(context) as url,
        pytest.raises(TargetUnavailable, match=r"a certificate that is refused: .*mismatch"),
    ):
        opened(settings(url.replace("localhost", "127.0.0.1")))


def test_an_unknown_authority_is_named_and_a_known_one_is_taken(certificate, context, monkeypatch):
    with account(context) as url:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        with pytest.raises(TargetUnavailable, match="certificate"):
            opened(settings(url))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert"))
        assert opened(settings(url))


def test_a_token_of_another_account_is_refused():
    with account() as url:
        assert opened(settings(url))
        assert opened(settings(url, portal_id=""))
        with pytest.raises(TargetUnavailable, match=r"expected a token of account 12, .* 4711"):
            opened(settings(url, portal_id="12"))


def test_another_account_is_another_place_to_send_to():
    places = [endpoint_of("hubspot", settings("https://x", one)).fingerprint
              for one in ("", "1", "2", "1")]  # fmt: skip
    assert len(set(places)) == 3
    assert places[1] == places[3]
