"""Who may ask: keys with scopes, kept as digests and compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...contract import BadInput
from ...settings import API_KEYS, ApiSettings
from .problem_details import HttpProblem

LOGGER = logging.getLogger("mqbg.serve")

READ, SCORE = "read", "score"
SCOPES = (READ, SCORE)
MIN_KEY_LENGTH = 16  # characters of a key: a shorter one can be guessed
KEY_NAME = re.compile(r"[\w.-]{1,64}")
KEY_DIGEST = re.compile(r"[0-9a-f]{64}")
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="mqbg", Basic realm="mqbg", charset="UTF-8"'}


@dataclass(frozen=True)
class ApiKey:
    """A key that may be used.

    Attributes:
        name: by which logs call it.
        scopes: some of `SCOPES`.
        digest: SHA-256 of the key, in hexadecimal.
    """

    name: str
    scopes: frozenset[str]
    digest: str


@dataclass(frozen=True)
class ApiKeys:
    """All keys; without any, everybody who reaches the server may do everything.

    Attributes:
        keys: that may be used.
        required: a key is needed even where none is left, as all were revoked.
    """

    keys: tuple[ApiKey, ...] = ()
    required: bool = False

    def __bool__(self) -> bool:
        return self.required or bool(self.keys)

    def find(self, presented: str) -> ApiKey | None:
        """Whose key it is; None for nobody's.

        Digests are compared, all of them, each in constant time: how long it takes tells nothing.
        """
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).hexdigest()
        match = None
        for key in self.keys:
            if hmac.compare_digest(key.digest, digest):
                match = key
        return match

    def require(self, headers: Mapping[str, str], scope: str) -> str:
        """The name of the key that a request came with; "" where no keys are configured.

        Args:
            headers: of the request, names in lower case.
            scope: that it needs.

        Raises:
            HttpProblem: 401 without a key of ours, 403 with one that may not do this.
        """
        if not self:
            return ""
        presented = _presented_key(headers)
        key = None if presented is None else self.find(presented)
        if key is None:
            presented_text = "none" if presented is None else "one that is not known here"
            raise HttpProblem(
                401,
                "expected a key in the header Authorization (Bearer, or Basic with the key as "
                f"password) or X-API-Key, got {presented_text}; ask the operator for one",
                CHALLENGE,
            )
        if scope not in key.scopes:
            raise HttpProblem(
                403,
                f"expected a key with the scope {scope}, got one that has "
                f"{' and '.join(sorted(key.scopes))}; ask the operator for another",
            )
        return key.name


@dataclass
class KeyRing:
    """The keys of a running server, which follow their file.

    Attributes:
        keys: as they were last read.
        settings: `keys_file` is read again.
        environment: of the process, which does not change while it runs.
    """

    keys: ApiKeys
    settings: ApiSettings = field(default_factory=ApiSettings)
    environment: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.keys)

    def require(self, headers: Mapping[str, str], scope: str) -> str:
        """As `ApiKeys.require`, by the keys of now."""
        return self.keys.require(headers, scope)

    def refresh(self) -> bool:
        """Reads the file again; whether anything changed.

        A server that began with keys never answers without one, whatever becomes of the file. A
        file that cannot be read leaves the keys as they are, and the log says so.
        """
        if not self.keys or not self.settings.keys_file:
            return False
        try:
            found = replace(load_keys(self.settings, self.environment), required=True)
        except BadInput as error:
            LOGGER.error("the keys of before stay: %s", error)
            return False
        before, self.keys = self.keys, found
        return found.keys != before.keys


def _presented_key(headers: Mapping[str, str]) -> str | None:
    kind, _, rest = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() == "basic":
        try:
            credentials = base64.b64decode(rest.strip(), validate=True).decode(
                "utf-8", "surrogateescape"
            )
        except (binascii.Error, ValueError):
            return ""
        return credentials.partition(":")[2]
    return headers.get("x-api-key")


def load_keys(settings: ApiSettings, environment: Mapping[str, str]) -> ApiKeys:
    """The keys of the environment and of the settings' file.

    Args:
        settings: `keys_file` is read.
        environment: of the process; MQBG_API_KEYS is read.

    Raises:
        BadInput: a key cannot be read, is too short, or appears twice.
    """
    keys = [
        *_parse_environment(environment.get(API_KEYS, "")),
        *_read_keys_file(settings.keys_file),
    ]
    for what, values in {
        "name": [key.name for key in keys],
        "key": [key.digest for key in keys],
    }.items():
        if len(set(values)) < len(values):
            raise BadInput(f"API keys: expected every {what} once, got one twice; take one away")
    return ApiKeys(tuple(keys))


def _parse_environment(text: str) -> Iterator[ApiKey]:
    for number, part in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        # The text is a secret, so no message repeats it.
        location = f"{API_KEYS}, key {number}"
        name, scopes, secret = (*part.split(":", 2), "", "")[:3]
        if len(secret) < MIN_KEY_LENGTH:
            raise BadInput(
                f"{location}: expected name:scope+scope:key with a key of {MIN_KEY_LENGTH} "
                "characters or "
                f"more, got {len(secret)}; make one with `openssl rand -hex 24`"
            )
        digest = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
        yield ApiKey(_require_name(name, location), _parse_scopes(scopes, "+", location), digest)


def _read_keys_file(path: str) -> Iterator[ApiKey]:
    if not path:
        return
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"[api] keys_file: expected lines `name scopes sha256hex` in {path}, could not read "
            f"it: {getattr(error, 'strerror', None) or 'not UTF-8'}; check the path"
        ) from None
    for number, line in enumerate(lines, 1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        location = f"{path} line {number}"
        if len(fields) != 3 or not KEY_DIGEST.fullmatch(fields[2].lower()):
            raise BadInput(
                f"{location}: expected `name scopes sha256hex`, the last 64 hexadecimal "
                "digits, got "
                f"{len(fields)} words; make one with `printf %s KEY | sha256sum`"
            )
        yield ApiKey(
            _require_name(fields[0], location),
            _parse_scopes(fields[1], "+", location),
            fields[2].lower(),
        )


def _require_name(text: str, location: str) -> str:
    if not KEY_NAME.fullmatch(text):
        raise BadInput(
            f"{location}: expected a name of up to 64 letters, digits, dots, dashes and "
            "underscores; "
            "choose another"
        )
    return text


def _parse_scopes(text: str, separator: str, location: str) -> frozenset[str]:
    scopes = frozenset(text.replace(",", separator).split(separator))
    if not scopes <= set(SCOPES):
        raise BadInput(
            f"{location}: expected the scopes {' and '.join(SCOPES)}, or one of them, such as "
            "read+score; fix the second part"
        )
    return scopes


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def require_keys_unless_loopback(keys: ApiKeys, host: str) -> None:
    """Makes sure that an address which others reach asks for keys.

    Raises:
        BadInput: it does not.
    """
    if not keys and not is_loopback(host):
        raise BadInput(
            f"serve: expected API keys before listening on {host}, which other machines reach, got "
            f"none; set {API_KEYS} (name:read+score:key) or [api] keys_file, or listen on 127.0.0.1"
        )
