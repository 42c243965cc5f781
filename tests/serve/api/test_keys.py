from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from mqbg.contract import BadInput
from mqbg.serve.api.keys import ApiKeys, is_loopback, load_keys, require_keys_unless_loopback
from mqbg.serve.api.problem_details import HttpProblem
from mqbg.settings import ApiSettings

SECRET = "0123456789abcdef"  # noqa: S105 - of these tests


def of(text):
    return load_keys(ApiSettings(), {"MQBG_API_KEYS": text})


def test_a_key_opens_what_its_scopes_say(keys, bearer):
    headers = {"authorization": bearer("reader")["Authorization"]}
    assert keys.require(headers, "read") == "reader"
    with pytest.raises(HttpProblem) as refused:
        keys.require(headers, "score")
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {SECRET}"},
        {"authorization": f"bearer  {SECRET}"},
        {"authorization": "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()},
        {"x-api-key": SECRET},
    ],
)
def test_a_key_comes_in_any_of_three_headers(headers):
    assert of(f"ci:read:{SECRET}").require(headers, "read") == "ci"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {SECRET}x"},
        {"authorization": f"Bearer {SECRET[:-1]}"},
        {"authorization": "Basic not-base-64"},
        {"authorization": "Digest x"},
        {"x-api-key": ""},
        {"authorization": "Bearer \udcff\udcfe"},
    ],
)
def test_anything_else_is_refused_with_a_challenge(headers):
    with pytest.raises(HttpProblem) as refused:
        of(f"ci:read:{SECRET}").require(headers, "read")
    assert refused.value.status == 401
    assert "WWW-Authenticate" in refused.value.headers


def test_every_key_is_compared_in_constant_time(keys, monkeypatch):
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(
        "mqbg.serve.api.keys.hmac.compare_digest",
        lambda left, right: compared.append((left, right)) or real(left, right),
    )
    keys.find("reader-key-0123456789")  # the first one: the others are compared none the less
    assert [left for left, _right in compared] == [key.digest for key in keys.keys]


def test_a_file_holds_digests_alone(tmp_path):
    file = tmp_path / "keys"
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    file.write_text(f"# who\n\nnight read,score {digest}  # the batch\n")
    found = load_keys(ApiSettings(keys_file=str(file)), {})
    assert found.require({"x-api-key": SECRET}, "score") == "night"
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "ci:read:short",
        f"ci:write:{SECRET}",
        f"ci::{SECRET}",
        f":read:{SECRET}",
        f"c i:read:{SECRET}",
        f"ci:read:{SECRET},ci:read:{SECRET}x",
        f"a:read:{SECRET},b:read:{SECRET}",
        SECRET,
    ],
)
def test_keys_that_cannot_be_meant_are_refused_without_being_shown(text):
    with pytest.raises(BadInput) as refused:
        of(text)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("line", ["night read", "night read abc", "night write " + "0" * 64])
def test_a_file_of_other_lines_is_refused_by_its_line(tmp_path, line):
    file = tmp_path / "keys"
    file.write_text(f"\n{line}\n")
    with pytest.raises(BadInput, match="line 2"):
        load_keys(ApiSettings(keys_file=str(file)), {})


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInput, match="keys_file"):
        load_keys(ApiSettings(keys_file=str(tmp_path / "none")), {})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_without_keys_loopback_may_listen(host):
    assert is_loopback(host)
    require_keys_unless_loopback(ApiKeys(), host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "10.0.0.1", "mqbg.example", "127.0.0.1.example"],  # noqa: S104
)
def test_without_keys_no_other_address_listens(host):
    with pytest.raises(BadInput, match="MQBG_API_KEYS"):
        require_keys_unless_loopback(ApiKeys(), host)
